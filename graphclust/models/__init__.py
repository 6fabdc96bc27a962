"""The models, one algorithm per file: tensors in, tensors or losses out; no optimiser, file or choice of device."""
