"""Budgets while ads are served, in Redis: held, counted and refused by scripts."""
