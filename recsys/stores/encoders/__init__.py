"""Encoders and their vectors on disk."""
