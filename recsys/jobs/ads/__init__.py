"""Use cases of advertising."""
