"""The fields of the index and how an item's texts become a document."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
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


@dataclass(frozen=True)
class FieldTerms:
    """The terms of one text of an item.

    Attributes:
        first: the first term of each position. more: other terms with their positions.
    """

    field: str
    first: Sequence[str]
    more: Sequence[tuple[str, int]] = ()

    @property
    def terms(self) -> Iterable[str]:
        """All of them, some perhaps twice."""
        return (*self.first, *(term for term, _ in self.more))


def field_terms(item: ItemText, analyzer: Analyzer) -> list[FieldTerms]:
    """The terms of an item's texts, its title first; a field with several values more than once."""
    texts = [
        (DESCRIPTION, item.description),
        (CATEGORY, item.category),
        (BRAND, item.brand),
        *((ATTRIBUTES, value) for value in item.attributes),
    ]
    found = [FieldTerms(TITLE, *analyzer.term_stream(item.title))]
    found += [FieldTerms(field, *analyzer.term_stream(text)) for field, text in texts if text]
    compact = {plain for each in item.identifiers if (plain := plain_identifier(each))}
    if compact:
        found.append(FieldTerms(IDENTIFIERS, sorted(compact)))
        found.append(FieldTerms(IDENTIFIER_STARTS, sorted(_beginnings(compact))))
    return found


def document(index: int, fields: Sequence[FieldTerms]) -> Any:
    """The document of an item, from its `field_terms`."""
    import tantivy

    found = tantivy.Document()
    found.add_unsigned(INDEX, index)
    found.add_unsigned(TITLE_TERMS, len(fields[0].first))
    for each in fields:
        if each.more:
            found.add_pre_tokenized_text(each.field, _pre_tokenized(each))
        else:
            found.add_text(each.field, " ".join(each.first))
    return found


def _pre_tokenized(terms: FieldTerms) -> Any:
    import tantivy

    placed = [*enumerate(terms.first), *((place, term) for term, place in terms.more)]
    placed.sort(key=itemgetter(0))
    return tantivy.PreTokenizedString("", [tantivy.Token(term, place, 0, 0) for place, term in placed])


def _beginnings(identifiers: Iterable[str]) -> set[str]:
    return {
        each[:length]
        for each in identifiers
        for length in range(_SHORTEST_START, min(len(each), _LONGEST_START) + 1)
    }


def plain_identifier(text: str) -> str:
    """An identifier folded and without what separates its parts.

    >>> plain_identifier("WH-1000 XM4")
    'wh1000xm4'
    """
    return "".join(each for each in normalise(text[:200]) if each.isalnum())[:64]
