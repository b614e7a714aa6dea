"""The demo: the whole way on the demo shop, by the commands that a user would type."""
