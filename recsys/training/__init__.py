"""Training loops, their checkpoints and their learning curves."""
