"""Jobs that decide which bundle serves."""
