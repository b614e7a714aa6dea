"""Simulated people at the search box: what their clicks teach and what interleaving sees, by the truth."""
