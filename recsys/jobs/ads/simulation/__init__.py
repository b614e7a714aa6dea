"""Simulated policies as a use case: runs, files of policies, pictures."""
