"""Training of the retriever: loop, steps, checkpoints, several processes."""
