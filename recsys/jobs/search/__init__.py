"""Use cases of search: its evaluation, samples of its queries, two searches side by side."""
