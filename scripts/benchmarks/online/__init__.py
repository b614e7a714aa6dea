"""Benchmarks of the online store and of the service."""
