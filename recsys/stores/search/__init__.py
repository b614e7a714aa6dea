"""What searches keep between requests."""
