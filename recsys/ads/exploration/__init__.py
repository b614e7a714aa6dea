"""Showing ads that little is known of: by a rule, within a budget, with known chances."""
