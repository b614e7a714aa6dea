"""A user's query as word groups, before any rewriter."""

from recsys.analysis.analyzer import Analyzer, identifier_term
from recsys.analysis.query_words import QueryWord
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup

_PART_WEIGHT = 0.4  # of a match of the number without its unit


def word_group(word: QueryWord) -> WordGroup:
    """A word of a query with the ways to say it that its analysis knows.

    A model number is also looked up without its hyphens; a quantity that is not there by its number.
    """
    alternatives = [Alternative(word.terms)]
    compact = identifier_term(word.text) if word.has_digits and word.kind != "phrase" else None
    if compact is not None and (compact,) != word.terms:
        alternatives.append(Alternative((compact,), 1.0, "identifier"))
    if not word.excluded:
        alternatives.extend(Alternative(terms, _PART_WEIGHT, "unit") for terms in word.weaker)
    return WordGroup(word.text, tuple(alternatives), word.strict, word.excluded)


def lexical_query(text: str) -> LexicalQuery:
    """What a query asks of the index, as it was typed."""
    return LexicalQuery(tuple(word_group(word) for word in Analyzer().query_words(text)))
