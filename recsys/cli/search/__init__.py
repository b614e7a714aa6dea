"""`recsys search`."""
