"""A mapping guessed from the files of a shop: their columns' names and their first rows."""
