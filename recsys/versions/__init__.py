"""Versions of arrays, texts and mappings: one that differs in little shares the memory of all the rest."""
