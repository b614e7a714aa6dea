"""Benchmarks of models beside their peers."""
