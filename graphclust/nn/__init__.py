"""Neural building blocks: tensors in, tensors out; no optimiser, file or choice of device."""
