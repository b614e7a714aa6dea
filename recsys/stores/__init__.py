"""Adapters, one folder a thing that is stored; each translates the exceptions of its vendor."""
