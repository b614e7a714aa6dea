"""Budgets while ads are served: the plan of a day, its controller, and the gate of budgets."""
