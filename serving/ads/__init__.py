"""Ads and pages in the service: who answers them, what is opened for them, and what is counted."""
