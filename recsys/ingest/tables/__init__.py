"""Canonical tables made of raw batches: events, items, users."""
