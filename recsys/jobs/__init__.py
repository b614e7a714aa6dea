"""Use cases: what composes stores, models and training. A job takes settings and returns a result."""
