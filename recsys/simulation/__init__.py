"""Simulated shoppers: traffic with a known truth, to judge learning by. None of it is real behaviour."""
