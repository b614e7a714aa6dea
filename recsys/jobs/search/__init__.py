"""Use cases of search: one answer, its evaluation, what people looked for, rules and synonyms."""
