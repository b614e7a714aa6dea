"""`recsys start`: store, stream workers and service under one supervisor."""
