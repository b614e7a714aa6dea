"""Who calls, whether that caller may, and how often."""
