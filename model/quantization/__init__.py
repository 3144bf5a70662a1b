"""Post-training quantization: RTN, GPTQ, pruning and bit allocation."""
