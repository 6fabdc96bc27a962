"""What methods need from the machine: memory, threads, devices, seeds, progress, interrupts."""
