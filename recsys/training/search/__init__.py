"""What search learns from a shop: what matches by meaning, and in which order."""
