"""Services of the machine and the process: memory, threads, devices, seeds, progress, interrupts."""
