"""Ads as pure arithmetic: no I/O, no clock, money in integers."""
