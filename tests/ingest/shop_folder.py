"""A small shop in a folder, imported: what tests of shapes of files share."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsys.documents import JsonObject
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import parse_mapping

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
HEAD = 'name = "s"\nrepeats = true\nlabel_kinds = ["purchase"]\n'


@dataclass
class Rows:
    """A sink that remembers."""

    tables: list[pa.Table] = field(default_factory=list)

    def append(self, table: pa.Table) -> None:
        self.tables.append(table)

    def rows(self) -> list[dict[str, Any]]:
        return [row for table in self.tables for row in table.to_pylist()]


@dataclass
class Imported:
    """An import with all that it handed over."""

    shop: ImportedShop
    events: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    @property
    def report(self) -> JsonObject:
        return self.shop.report

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return {row["item_id"]: row for row in self.shop.items.to_pylist()}

    def told(self, *names: str) -> list[tuple[Any, ...]]:
        """The named columns of the events, in the order of the files."""
        return [
            tuple(row[name] for name in names) for row in sorted(self.events, key=lambda e: e["sequence"])
        ]

    def reasons(self) -> list[tuple[str, int, str]]:
        """File, row and reason of each rejected row."""
        return sorted((row["file"], row["row"], row["reason"]) for row in self.rejected)


def messages(shop: ImportedShop, code: str) -> list[str]:
    """The warnings of one kind."""
    return [warning["message"] for warning in shop.report["warnings"] if warning["code"] == code]


def imported(folder: Path, mapping: str, now: datetime = NOW, name: str = "m.toml") -> Imported:
    """The shop in `folder` by a mapping's text."""
    lake, quarantine = Rows(), Rows()
    shop = ShopFiles(parse_mapping(mapping, name), "0" * 64, folder)
    found = import_shop(shop, now, lake, quarantine, folder / "scratch")
    return Imported(found, lake.rows(), quarantine.rows())


def json_lines(path: Path, *documents: object) -> None:
    """Writes one document a line."""
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
