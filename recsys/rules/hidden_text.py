"""Words that are never suggested, as they are stored."""

from dataclasses import dataclass

from recsys.errors import DataError
from recsys.rules.query_text import query_key

MAX_CHARACTERS = 100


@dataclass(frozen=True)
class HiddenText:
    """A word or phrase that no suggestion may have.

    Attributes:
        text: folded. version: of this entry, from 1; 0 = not stored yet.
    """

    text: str
    version: int = 0


def hidden_text(text: str) -> HiddenText:
    """What is stored for `text`.

    Raises:
        DataError: it has no word, or too many characters.
    """
    key = query_key(text)
    if not key:
        raise DataError(f"{text!r} has no word. Name a word or a phrase.")
    if len(text) > MAX_CHARACTERS or len(key) > MAX_CHARACTERS:
        raise DataError(
            f"{text[:30]!r}... has over {MAX_CHARACTERS} characters. Name the words that must not be shown."
        )
    return HiddenText(key)
