"""A bundle's search indexes as a searcher: for the service, and for one search in the terminal."""
