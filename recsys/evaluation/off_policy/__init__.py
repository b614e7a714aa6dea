"""What another policy would have earned, from a log of what a known policy showed."""
