"""How good search is: rows on judged queries, two searches side by side, queries to judge."""
