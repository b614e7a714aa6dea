"""A model beside its baselines: rankings, metrics with intervals, slices, report."""
