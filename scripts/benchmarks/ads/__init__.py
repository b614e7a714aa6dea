"""Benchmarks of ads."""
