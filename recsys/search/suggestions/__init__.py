"""What to type on while somebody types."""
