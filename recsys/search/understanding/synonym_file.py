"""Synonyms as people write them: lines `sofa => couch, settee`, or CSV."""

import csv
import re
from collections.abc import Iterator

from recsys.errors import DataError
from recsys.search.understanding.synonyms import DEFAULT_WEIGHT, Synonym

COLUMNS = ("words", "synonym", "weight", "two_way")
_HEADER = re.compile(r"^\s*words\s*,\s*synonym\s*(,|$)", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


def read_synonyms(text: str) -> tuple[Synonym, ...]:
    """The entries of a file's text, with their lines.

    As lines, `#` begins a comment, and `^0.5` behind a synonym is its weight:

        sofa => couch, settee^0.5      # who asks for a sofa finds couches and settees too
        tv stand, media console        # each stands for the other
        沙发 => 长沙发

    As CSV, with the columns words, synonym and, where wanted, weight and two_way.

    Raises:
        DataError: a line that is neither, with its number.
    """
    text = text.removeprefix("\ufeff")
    lines = text.splitlines()
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return tuple(_csv_entries(lines) if _HEADER.match(first) else _line_entries(lines))


def _line_entries(lines: list[str]) -> Iterator[Synonym]:
    for number, line in enumerate(lines, start=1):
        content = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if content:
            yield from _entries_of(content, f"line {number}")


def _entries_of(content: str, place: str) -> Iterator[Synonym]:
    left, arrow, right = content.partition("=>")
    if "=>" in right:
        raise DataError(f"synonyms, {place}: {content!r} has two arrows; write one entry a line")
    if arrow:
        for words, weight in _listed(left, place):
            if weight is not None:
                raise DataError(
                    f"synonyms, {place}: a weight belongs to a synonym, behind the arrow, not to {words!r}"
                )
            for synonym, own in _listed(right, place):
                yield Synonym(words, synonym, DEFAULT_WEIGHT if own is None else own, False, place)
        return
    listed = _listed(content, place)
    if len(listed) < 2:
        raise DataError(f"synonyms, {place}: {content!r} names no synonym; write `{content} => other words`")
    for index, (words, _) in enumerate(listed):
        for synonym, own in listed[index + 1 :]:
            yield Synonym(words, synonym, DEFAULT_WEIGHT if own is None else own, True, place)


def _listed(text: str, place: str) -> list[tuple[str, float | None]]:
    """Words between commas, of either width, with the weight behind each."""
    found = []
    for entry in re.split("[,，、]", text):
        words, mark, weight = entry.strip().partition("^")
        if not words.strip():
            raise DataError(
                f"synonyms, {place}: nothing stands beside a comma or arrow in {text.strip()!r}; remove it"
            )
        found.append((words.strip(), _weight(weight, place) if mark else None))
    return found


def _csv_entries(lines: list[str]) -> Iterator[Synonym]:
    reader = csv.reader(lines)
    header: list[str] | None = None
    for row in reader:
        place = f"line {reader.line_num}"
        if not any(cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
            continue
        if header is None:
            header = _header(row, place)
            continue
        if len(row) != len(header):
            raise DataError(
                f"synonyms, {place}: {len(row)} cells for the {len(header)} columns {', '.join(header)}"
            )
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        weight = cells.get("weight", "")
        yield Synonym(
            cells["words"],
            cells["synonym"],
            _weight(weight, place) if weight else DEFAULT_WEIGHT,
            _truth(cells.get("two_way", ""), place),
            place,
        )


def _header(row: list[str], place: str) -> list[str]:
    header = [cell.strip().lower() for cell in row]
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or len(set(header)) != len(header):
        raise DataError(f"synonyms, {place}: the columns are {', '.join(header)}; write {', '.join(COLUMNS)}")
    return header


def _weight(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(
            f"synonyms, {place}: the weight {text!r} is no number; write one between 0 and 1"
        ) from None


def _truth(text: str, place: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise DataError(f"synonyms, {place}: two_way is {text!r}; write true or false")
