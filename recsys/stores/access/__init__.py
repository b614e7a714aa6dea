"""Access keys in SQL, and their token buckets in Redis."""
