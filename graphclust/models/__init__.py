"""The models, an algorithm a file: tensors in, tensors or losses out; no optimiser, no file, no choice of device."""
