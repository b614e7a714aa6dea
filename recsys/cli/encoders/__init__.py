"""`recsys encoder`."""
