"""Merchandising rules: what a shop decides for its searches and recommendations, whatever models say."""
