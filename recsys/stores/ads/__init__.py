"""Accounts, campaigns and the books in SQL, with everything that was ever changed or booked."""
