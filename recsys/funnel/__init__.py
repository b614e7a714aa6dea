"""Retrieve -> features -> rank -> rules -> blend -> slate."""
