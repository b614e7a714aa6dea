"""Versions of items and users that came by the stream, and what services are told of them."""
