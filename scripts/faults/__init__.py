"""What is left right when processes are killed."""
