"""Numbers as people and programs write them: decimal commas, thousands, brackets, true and false."""

import re
import unicodedata
from dataclasses import dataclass

_PLAIN = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[ '’](?=\d{3}(?!\d))")
_WHOLE_AMOUNT = re.compile(r"[.,][-–—]+$")  # 12.- and 12,--
_BOOLEANS = {"true": 1.0, "false": 0.0}
# One point before three digits: a decimal in one country and a thousand in another.
TWO_WAYS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"


@dataclass(frozen=True)
class WrittenNumber:
    """A number that was read; `by_comma`: its comma is the decimal mark although nothing declares so."""

    value: float
    by_comma: bool = False


def read_number(text: str, decimal: str | None = None, booleans: bool = True) -> WrittenNumber | None:
    """The number that `text` is, or None where it is not one or could be two.

    Brackets around it and a minus behind it make it negative. Blanks and apostrophes between groups of
    digits are left out. Of a point and a comma the last is the decimal mark. A mark that stands alone is
    the decimal mark if `decimal` says so; where nothing is declared a point is, and a comma is if what
    stands behind it cannot be a group of three digits.

    Args:
        decimal: the decimal mark, `.` or `,`; None if the mapping declares none.
        booleans: whether true is 1 and false is 0.

    >>> [read_number(text).value for text in ("1.299,00", "1,299.00", "12,99", "(7)", "1 299")]
    [1299.0, 1299.0, 12.99, -7.0, 1299.0]
    >>> read_number("1,299") is None, read_number("1,299", ".").value, read_number("1,299", ",").value
    (True, 1299.0, 1.299)
    """
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()
    if text.casefold() in _BOOLEANS:
        return WrittenNumber(_BOOLEANS[text.casefold()]) if booleans else None
    text, negative = _unsigned(_WHOLE_AMOUNT.sub("", text))
    text = _BETWEEN_DIGITS.sub("", text)
    found = _with_point(text, decimal)
    if found is None or not _PLAIN.fullmatch(found[0]):
        return None
    value = float(found[0])
    return WrittenNumber(-value if negative else value, found[1])


def _unsigned(text: str) -> tuple[str, bool]:
    """`text` without its sign, and whether it is negative; a second sign stays and spoils it."""
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip(), True
    if text.endswith("-"):
        return text[:-1].strip(), True
    if text.startswith(("-", "+")):
        return text[1:].strip(), text[0] == "-"
    return text, False


def _with_point(text: str, decimal: str | None) -> tuple[str, bool] | None:
    """`text` with a point as its decimal mark and no other marks, and whether a comma was taken for it."""
    marks = [mark for mark in text if mark in ".,"]
    if not marks:
        return text, False
    last, kinds = marks[-1], set(marks)
    digits = re.split(r"[.,]", text)
    if len(kinds) == 2:
        if marks.count(last) > 1 or (decimal and decimal != last) or not _are_groups(digits[:-1]):
            return None
        return f"{''.join(digits[:-1])}.{digits[-1]}", last == "," and decimal is None
    grouped = _are_groups(digits)
    if len(marks) > 1:
        return ("".join(digits), False) if grouped and decimal != last else None
    if decimal is None and last == ",":
        return None if grouped else (".".join(digits), True)
    if decimal in (None, last):
        return ".".join(digits), False
    return ("".join(digits), False) if grouped else None


def _are_groups(digits: list[str]) -> bool:
    """Whether marks of thousands can stand between these: groups of three digits, in India some of two."""
    first, *others = digits
    if not others:
        return True
    return (
        first.isdigit()
        and len(first) <= 3
        and not first.startswith("0")
        and all(group.isdigit() and len(group) in (2, 3) for group in others)
        and len(others[-1]) == 3
    )
