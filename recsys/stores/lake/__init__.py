"""The event lake, the tables of a shop and the item log."""
