"""Charges as use cases: the worker, the gate that it keeps, and money that moves without an event."""
