"""`recsys demo`."""
