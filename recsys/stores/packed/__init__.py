"""The packed online store: one byte string for each (view, entity) in Redis."""
