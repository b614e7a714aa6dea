"""The lexical index: items by the terms of their fields."""
