"""A user's files -> canonical tables -> clean -> split -> labels -> batches."""
