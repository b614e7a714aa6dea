"""The catalog as it changes: item log, history and popularity, for who follows them."""
