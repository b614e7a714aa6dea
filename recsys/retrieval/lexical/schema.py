"""The fields of the index and how an item's texts become a document."""

from collections.abc import Iterable, Mapping
from typing import Any

from recsys.analysis.analyzer import Analyzer
from recsys.analysis.folding import normalise
from recsys.retrieval.lexical.item_text import ItemText

INDEX, TITLE_TERMS = "index", "title_terms"
TITLE, DESCRIPTION, CATEGORY, BRAND, ATTRIBUTES = "title", "description", "category", "brand", "attributes"
IDENTIFIERS, IDENTIFIER_STARTS = "identifiers", "identifier_starts"
# How much a match in a field counts.
BOOSTS: Mapping[str, float] = {
    TITLE: 1.0,
    BRAND: 0.8,
    CATEGORY: 0.6,
    ATTRIBUTES: 0.5,
    DESCRIPTION: 0.3,
    IDENTIFIERS: 2.0,
}
_PHRASED = (TITLE, DESCRIPTION, CATEGORY, BRAND, ATTRIBUTES)
_TOKENIZER = "whitespace"  # one of those that every index knows: others have to be registered at each opening
_SHORTEST_START, _LONGEST_START = 3, 20  # characters of an identifier's beginnings


def index_schema() -> Any:
    """tantivy's schema of the index."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    for name in _PHRASED:
        builder.add_text_field(name, tokenizer_name=_TOKENIZER)
    for name in (IDENTIFIERS, IDENTIFIER_STARTS):
        builder.add_text_field(name, tokenizer_name=_TOKENIZER, index_option="basic")
    builder.add_unsigned_field(INDEX, indexed=True, fast=True)
    builder.add_unsigned_field(TITLE_TERMS, fast=True)
    return builder.build()


def document(item: ItemText, analyzer: Analyzer) -> Any:
    """The document of an item."""
    import tantivy

    found = tantivy.Document()
    found.add_unsigned(INDEX, item.index)
    found.add_unsigned(TITLE_TERMS, _add_text(found, TITLE, item.title, analyzer))
    for name, text in (
        (DESCRIPTION, item.description),
        (CATEGORY, item.category),
        (BRAND, item.brand),
    ):
        if text:
            _add_text(found, name, text, analyzer)
    for value in item.attributes:  # a phrase does not go from one to the next
        _add_text(found, ATTRIBUTES, value, analyzer)
    _add_identifiers(found, item.identifiers)
    return found


def _add_text(found: Any, field: str, text: str, analyzer: Analyzer) -> int:
    """Adds the terms of a text; returns how many positions they take."""
    first, more = analyzer.term_stream(text)
    if not more:
        found.add_text(field, " ".join(first))
        return len(first)
    import tantivy

    token = tantivy.Token
    terms = sorted(
        [*((place, term) for place, term in enumerate(first)), *((place, term) for term, place in more)]
    )
    tokens = [token(term, place, 0, 0) for place, term in terms]
    found.add_pre_tokenized_text(field, tantivy.PreTokenizedString("", tokens))
    return len(first)


def _add_identifiers(found: Any, identifiers: Iterable[str]) -> None:
    compact = {plain for each in identifiers if (plain := plain_identifier(each))}
    if not compact:
        return
    found.add_text(IDENTIFIERS, " ".join(compact))
    starts = {
        each[:length]
        for each in compact
        for length in range(_SHORTEST_START, min(len(each), _LONGEST_START) + 1)
    }
    if starts:
        found.add_text(IDENTIFIER_STARTS, " ".join(starts))


def plain_identifier(text: str) -> str:
    """An identifier folded and without what separates its parts.

    >>> plain_identifier("WH-1000 XM4")
    'wh1000xm4'
    """
    return "".join(each for each in normalise(text[:200]) if each.isalnum())[:64]
