"""`recsys models`."""
