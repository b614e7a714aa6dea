"""Synonyms as they are stored: what stands for what, one way or both, and how much weaker it counts."""

from collections.abc import Iterator
from dataclasses import dataclass

from recsys.documents import JsonObject
from recsys.rules.document_fields import DocumentFields

MAX_SYNONYMS = 20_000  # of one set
MAX_TERMS = 50
DEFAULT_WEIGHT = 0.7


@dataclass(frozen=True)
class SynonymRow:
    """A query that has one of `left` finds what has one of `right` too; `two_way`: and the other way round.

    Attributes:
        left, right: words or phrases.
        weight: of the synonym beside the word itself, above 0 and below 1.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    two_way: bool = True
    weight: float = DEFAULT_WEIGHT


@dataclass(frozen=True)
class SynonymRows:
    """A named set of synonyms.

    Attributes:
        language: that it is for, as `en` or `zh`; None = any.
        version: of this set, from 1; 0 = not stored yet.
    """

    name: str
    rows: tuple[SynonymRow, ...]
    language: str | None = None
    enabled: bool = True
    version: int = 0

    def pairs(self) -> Iterator[tuple[str, str, SynonymRow]]:
        """(words, synonym, its row) for every word of `left` with every word of `right`."""
        for row in self.rows:
            yield from ((left, right, row) for left in row.left for right in row.right)


def parse_synonyms(document: object) -> SynonymRows:
    """The set that `document` says, not stored yet.

    Raises:
        DataError: a field is unknown, missing or wrong.
    """
    fields = DocumentFields.of(document, "the synonym set", ("name", "language", "enabled", "synonyms"))
    name = fields.identifier("name")
    fields = DocumentFields(fields.document, f"synonym set {name!r}")
    documents = fields.objects("synonyms", MAX_SYNONYMS)
    if not documents:
        raise fields.fail("synonyms", "at least one synonym")
    rows = tuple(_row(each, f"{fields.where}, synonym {n}") for n, each in enumerate(documents, 1))
    language = None if fields.document.get("language") is None else fields.text("language", longest=10)
    return SynonymRows(name, rows, language, fields.flag("enabled", True))


def synonyms_to_json(synonyms: SynonymRows) -> JsonObject:
    """The document of `synonyms`, which `parse_synonyms` reads."""
    rows = [
        {"left": list(row.left), "right": list(row.right), "two_way": row.two_way, "weight": row.weight}
        for row in synonyms.rows
    ]
    language = {} if synonyms.language is None else {"language": synonyms.language}
    return {"name": synonyms.name, **language, "enabled": synonyms.enabled, "synonyms": rows}


def _row(document: object, where: str) -> SynonymRow:
    fields = DocumentFields.of(document, where, ("left", "right", "two_way", "weight"))
    left, right = (fields.texts(name, MAX_TERMS, 100) for name in ("left", "right"))
    for name, terms in (("left", left), ("right", right)):
        if not terms:
            raise fields.fail(name, "a list of at least one word or phrase")
    weight = fields.number("weight", DEFAULT_WEIGHT)
    if not 0 < weight < 1:
        raise fields.fail("weight", "a number above 0 and below 1: a synonym is weaker than the word itself")
    return SynonymRow(left, right, fields.flag("two_way", True), weight)
