"""What `scripts/gpu_check` compares and measures."""
