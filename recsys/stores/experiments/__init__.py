"""Experiments in SQL."""
