"""Judgments and queries as TREC writes them: qrels, and topics by tab, by colon or in elements."""

import html
import re
from pathlib import Path

from recsys.errors import DataError
from recsys.jobs.search.judged_files.text_lines import numbered_lines

_ELEMENT = re.compile(r"<(top|topic)\b([^>]*)>(.*?)(?=</\1>|<\1\b|\Z)", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"<num(?:ber)?>\s*(?:Number:)?\s*([^\s<]+)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(?:number|num|id)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_TITLE = re.compile(r"<(?:title|query)>\s*(?:Topic:)?\s*(.*?)\s*(?=<|\Z)", re.DOTALL | re.IGNORECASE)
_TEXT_SUFFIXES = (".qrels", ".qrel", ".trec", ".topics", ".txt", ".tsv", ".tab", "")


def is_qrels(path: Path) -> bool:
    """Whether the first line has the four fields of qrels: topic, iteration, document and a whole grade."""
    for _, line in numbered_lines(path):
        parts = line.split()
        return len(parts) == 4 and "," not in line and re.fullmatch(r"-?\d+", parts[3]) is not None
    return False


def read_qrels(path: Path) -> list[tuple[str, str, float]]:
    """(topic, document, grade) of each line.

    Raises:
        DataError: a line has other fields; the message names it.
    """
    found = []
    for number, line in numbered_lines(path):
        parts = line.split()
        if len(parts) != 4 or not re.fullmatch(r"-?\d+", parts[3]):
            raise DataError(
                f"{path.name}, line {number}: {line[:80]!r} is not `topic iteration document grade`. Mend it."
            )
        found.append((parts[0], parts[2], float(parts[3])))
    return found


def read_topics(path: Path) -> dict[str, str] | None:
    """Topic -> text; None where the file is a table with a header, or of another kind.

    Raises:
        DataError: an element lacks its number or its text, or a line has no text.
    """
    lines = list(numbered_lines(path, most=1))
    if not lines:
        raise DataError(f"{path.name} is empty. Name the file of the queries.")
    first = lines[0][1].lstrip()
    if first.startswith("<"):
        return _elements(path)
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _TEXT_SUFFIXES or first.startswith("{"):
        return None
    separator = "\t" if "\t" in first else ":" if ":" in first else None
    if separator is None or _is_header(first, separator):
        return None
    return _lines(path, separator)


def _is_header(line: str, separator: str) -> bool:
    names = {part.strip().lower() for part in line.split(separator)}
    return bool(names & {"query", "query_id", "qid", "id", "text", "topic", "title"})


def _lines(path: Path, separator: str) -> dict[str, str]:
    found = {}
    for number, line in numbered_lines(path):
        topic, sign, text = line.partition(separator)
        if not sign or not topic.strip() or not text.strip():
            raise DataError(
                f"{path.name}, line {number}: {line[:80]!r} is not a topic and its text. Mend it."
            )
        found[topic.strip()] = text.strip()
    return found


def _elements(path: Path) -> dict[str, str]:
    content = "\n".join(line for _, line in numbered_lines(path))
    found = {}
    for place, element in enumerate(_ELEMENT.finditer(content), start=1):
        number = _NUMBER.search(element[3]) or _ATTRIBUTE.search(element[2])
        title = _TITLE.search(element[3])
        if number is None or title is None or not title[1].strip():
            raise DataError(f"{path.name}, topic number {place} lacks its number or its title. Mend it.")
        found[number[1]] = " ".join(html.unescape(title[1]).split())
    if not found:
        raise DataError(f"{path.name} has no <top> or <topic> elements. Name a file of topics.")
    return found
