"""Signed texts that a page carries: of sponsored impressions, and of what was shown before."""
