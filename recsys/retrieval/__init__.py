"""Candidates: dense index, neighbours, popularity."""
