"""A bundle's search indexes: written by training, opened for answers."""
