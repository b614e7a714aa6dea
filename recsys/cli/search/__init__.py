"""`recsys search ...`: one module a command."""
