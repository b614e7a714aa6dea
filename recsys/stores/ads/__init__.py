"""Accounts and campaigns in SQL, with everything that was ever changed."""
