"""Text encoder, time encoder, item tower, user tower, ranker, losses and the bundle that holds them."""
