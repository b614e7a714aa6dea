"""Tuning: objectives, records and report of a study."""
