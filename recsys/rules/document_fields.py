"""Fields of a document that people wrote, checked one by one: every error names where it is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recsys.documents import JsonObject
from recsys.errors import DataError, did_you_mean

MAX_NAME = 100  # characters
MAX_TEXT = 256
MAX_VALUES = 1000

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class DocumentFields:
    """A JSON or TOML object, and where it stands, for messages."""

    document: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, document: object, where: str, known: Sequence[str]) -> "DocumentFields":
        """The fields of `document`.

        Raises:
            DataError: it is no object, or has a field that is not `known`.
        """
        if not isinstance(document, Mapping):
            raise DataError(f"{where} is {document!r}. Write an object.")
        for name in document:
            if name not in known:
                near = did_you_mean(str(name), known)
                raise DataError(f"{where} has an unknown field {name!r}.{near} Known: {', '.join(known)}.")
        return cls(document, where)

    def fail(self, name: str, wanted: str) -> DataError:
        """The error that says what `name` is and what is wanted."""
        return DataError(f"{self.where}: {name} is {self.document.get(name)!r}. Write {wanted}.")

    def identifier(self, name: str) -> str:
        """A short name that has no spaces."""
        value = self.document.get(name)
        if not isinstance(value, str) or len(value) > MAX_NAME or not _IDENTIFIER.fullmatch(value):
            raise self.fail(name, f"up to {MAX_NAME} letters, digits, `.`, `_` and `-`")
        return value

    def text(self, name: str, default: str | None = None, longest: int = MAX_TEXT) -> str:
        """A text that is not empty; `default` where it is left out."""
        value = self.document.get(name, default)
        if not _is_text(value, longest):
            raise self.fail(name, f"a text of 1 to {longest} characters")
        return str(value)

    def texts(self, name: str, most: int = MAX_VALUES, longest: int = MAX_TEXT) -> tuple[str, ...]:
        """A list of texts, each once; none where it is left out."""
        values = self.document.get(name, ())
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) > most:
            raise self.fail(name, f"a list of up to {most} texts")
        for value in values:
            if not _is_text(value, longest):
                raise DataError(
                    f"{self.where}: {name} has {value!r}. Write texts of 1 to {longest} characters."
                )
        return tuple(dict.fromkeys(values))

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.document.get(name, default)
        if not isinstance(value, bool):
            raise self.fail(name, "true or false")
        return value

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number."""
        value = self.document.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.fail(name, f"a whole number from {least} to {most}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        value = self.document.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < float("inf"):
            raise self.fail(name, "a number")
        return float(value)

    def instant(self, name: str) -> datetime | None:
        """An instant with a time zone; None where it is left out."""
        value = self.document.get(name)
        if value is None:
            return None
        wanted = "an instant with a time zone, such as 2026-06-01T00:00:00Z"
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise self.fail(name, wanted) from None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.fail(name, wanted)
        return value

    def objects(self, name: str, most: int = MAX_VALUES) -> Sequence[JsonObject]:
        """A list of objects; none where it is left out."""
        values = self.document.get(name, ())
        if isinstance(values, str | Mapping) or not isinstance(values, Sequence) or len(values) > most:
            raise self.fail(name, f"a list of up to {most} objects")
        return values


def _is_text(value: object, longest: int) -> bool:
    """Whether `value` is a text that databases keep: not empty, without NUL and halves of characters."""
    if not isinstance(value, str) or not 0 < len(value) <= longest or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
