"""A query becomes an ordered page of items."""
