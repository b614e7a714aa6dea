"""What is asked of the lexical index: word groups, of which an item must match some."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Alternative:
    """One way to say a word of the query.

    Attributes:
        terms: analysed terms; several must follow one another in a field.
        weight: times the score of a match, 1 for the word itself, less for a correction or a synonym.
        source: which rewriter gave it: `query`, `spelling`, `synonym`, `join`, `split`, `unit`, `identifier`.
    """

    terms: tuple[str, ...]
    weight: float = 1.0
    source: str = "query"


@dataclass(frozen=True)
class WordGroup:
    """A word of the query with all that may stand for it; an item matches it by any alternative in any field.

    Attributes:
        text: the word as it was typed, for explanations.
        strict: the group must match, as a quoted phrase must.
        excluded: no item that matches it is found (`-word`); not counted among the words.
        prefix: the last term of each alternative may be the beginning of a longer one.
    """

    text: str
    alternatives: tuple[Alternative, ...]
    strict: bool = False
    excluded: bool = False
    prefix: bool = False


@dataclass(frozen=True)
class LexicalQuery:
    """The groups of one query; without any, nothing is asked of words."""

    groups: tuple[WordGroup, ...]

    @property
    def words(self) -> tuple[WordGroup, ...]:
        """The groups that count: neither excluded nor strict."""
        return tuple(group for group in self.groups if not group.excluded and not group.strict)

    @property
    def least(self) -> int:
        """m: how many of the n words an item must match; all of one or two, else half of them, rounded up.

        >>> word = WordGroup("a", (Alternative(("a",)),))
        >>> [LexicalQuery((word,) * n).least for n in (0, 1, 2, 3, 4, 5)]
        [0, 1, 2, 2, 2, 3]
        """
        count = len(self.words)
        return count if count <= 2 else (count + 1) // 2
