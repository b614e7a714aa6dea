"""What `recsys doctor` checks, and what commands make sure of before they work."""
