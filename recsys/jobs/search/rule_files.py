"""Files of rules, segments and synonyms, in TOML or JSON, of synonyms as lines, and of queries to try on."""

import csv
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from recsys import atomic
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.rules.document_fields import DocumentFields
from recsys.rules.fields import ANY_ATTRIBUTE, FieldNames
from recsys.rules.rule import Rule, Segment
from recsys.rules.rule_documents import parse_rule, parse_segment, rule_to_json, segment_to_json
from recsys.rules.synonym_rows import SynonymRows, parse_synonyms, synonyms_to_json
from recsys.search.understanding.synonym_file import read_synonyms

PARTS = ("rules", "segments", "synonym_sets")
MAX_ENTRIES = 10_000
MAX_BYTES = 50_000_000
MAX_QUERIES = 100_000


@dataclass(frozen=True)
class RuleFile:
    """What one file holds."""

    rules: tuple[Rule, ...] = ()
    segments: tuple[Segment, ...] = ()
    synonyms: tuple[SynonymRows, ...] = ()

    @property
    def entities(self) -> tuple[Rule | Segment | SynonymRows, ...]:
        """All of it, what is named before what names it."""
        return (*self.segments, *self.rules, *self.synonyms)

    def to_json(self) -> JsonObject:
        """The document of the file."""
        parts = (
            [rule_to_json(rule) for rule in self.rules],
            [segment_to_json(segment) for segment in self.segments],
            [synonyms_to_json(each) for each in self.synonyms],
        )
        return {name: entries for name, entries in zip(PARTS, parts, strict=True) if entries}


def read_rule_file(path: Path, names: FieldNames = ANY_ATTRIBUTE) -> RuleFile:
    """What the file at `path` holds: TOML or JSON, or one set of synonyms as lines (.txt) or CSV.

    Raises:
        DataError: it cannot be read, or an entry is wrong or there twice.
    """
    try:
        if path.suffix.lower() in (".txt", ".csv"):
            return RuleFile(synonyms=(_synonym_lines(path),))
        document = _parsed(path)
        fields = DocumentFields.of(document, "the file", PARTS)
        found = RuleFile(
            tuple(map(parse_rule, fields.objects("rules", MAX_ENTRIES))),
            tuple(parse_segment(each, names) for each in fields.objects("segments", MAX_ENTRIES)),
            tuple(map(parse_synonyms, fields.objects("synonym_sets", MAX_ENTRIES))),
        )
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from error
    for ids in (
        [rule.rule_id for rule in found.rules],
        [segment.name for segment in found.segments],
        [each.name for each in found.synonyms],
    ):
        if twice := {name for name in ids if ids.count(name) > 1}:
            raise DataError(f"{path} has {', '.join(sorted(twice))} twice. Keep one of them.")
    if not found.entities:
        raise DataError(f"{path} has no entry. Write [[rules]], [[segments]] or [[synonym_sets]].")
    return found


def write_rule_file(path: Path, found: RuleFile) -> None:
    """Writes `found` as TOML or JSON, by the name of the file."""
    document = found.to_json()
    if _is_toml(path):
        text = tomlkit.dumps(dict(document))
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    atomic.write_bytes(path, text.encode())


def read_queries(path: Path) -> tuple[str, ...]:
    """The queries of a CSV with a column `query`, or of a text with one a line; each once.

    Raises:
        DataError: it cannot be read, or has no query.
    """
    lines = _text(path).splitlines()
    header = [name.strip().lower() for name in next(csv.reader(lines[:1]), [])]
    if "query" in header:
        place = header.index("query")
        lines = [row[place] for row in csv.reader(lines[1:]) if len(row) > place]
    found = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not found:
        raise DataError(f"{path} has no query. Write one a line, or a CSV with a column `query`.")
    if len(found) > MAX_QUERIES:
        raise DataError(f"{path} has {len(found)} queries; {MAX_QUERIES} are allowed. Take a sample.")
    return found


def _synonym_lines(path: Path) -> SynonymRows:
    """The set of a file of lines or CSV, see `read_synonyms`; it is named after the file."""
    rows = [
        {"left": [each.words], "right": [each.synonym], "two_way": each.two_way, "weight": each.weight}
        for each in read_synonyms(_text(path))
    ]
    return parse_synonyms({"name": path.stem, "synonyms": rows})


def _parsed(path: Path) -> Any:
    text = _text(path)
    try:
        return tomllib.loads(text) if _is_toml(path) else json.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, RecursionError) as error:
        kind = "TOML" if _is_toml(path) else "JSON"
        raise DataError(f"{path} is not {kind}: {error}. Mend it, or give it its own ending.") from error


def _is_toml(path: Path) -> bool:
    if path.suffix.lower() not in (".toml", ".json"):
        raise DataError(f"{path} ends neither in .toml nor in .json. Rename it.")
    return path.suffix.lower() == ".toml"


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES:,} bytes. Split it.")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Name a file.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason}. Save it as UTF-8.") from error


def names_of(entities: Sequence[Rule | Segment | SynonymRows]) -> tuple[str, ...]:
    """The id or name of each."""
    return tuple(each.rule_id if isinstance(each, Rule) else each.name for each in entities)
