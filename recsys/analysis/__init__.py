"""Text of items and queries as terms: the same for an index and for what is asked of it."""
