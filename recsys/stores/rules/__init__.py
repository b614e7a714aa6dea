"""Merchandising in SQL: rules, segments and synonyms, with everything that was ever changed."""
