"""Logs of what was served."""
