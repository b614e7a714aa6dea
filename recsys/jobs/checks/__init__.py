"""What `recsys doctor` checks."""
