"""`recsys search ...`: one module a command or a group."""
