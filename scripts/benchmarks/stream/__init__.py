"""Benchmarks of the event stream."""
