"""What the parts of search cost and how good they are."""
