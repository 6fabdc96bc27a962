"""Neural building blocks: tensors in, tensors out; no optimiser, no file, no choice of device."""
