"""The Redis-compatible server of a home and clients of it."""
