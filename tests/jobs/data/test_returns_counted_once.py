"""A return that the stream told of and a file holds too is taken back once."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.features.event_log import read_log
from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import parse_mapping
from recsys.jobs.data.import_shop import run_import
from recsys.stores.lake.event_lake import AS_THEY_CAME, RETURNED_FOLDER, EventLake, open_lake

MAPPING = """
name = "dairy"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "lines.csv"
user = "who"
item = "what"
time = "at"
kind = { column = "kind", values = { sale = "purchase", back = "cancel" } }
quantity = "n"
value = "paid"
"""
HEAD = "id,who,what,at,kind,n,paid\n"
FIRST = "p0,ann,brie,2026-01-04 10:00:00,sale,1,4\np1,ann,brie,2026-01-05 10:00:00,sale,3,9\n"
BACK = {
    "part": "c1,ann,brie,2026-01-06 10:00:00,back,1,\n",
    "all": "c1,ann,brie,2026-01-06 10:00:00,back,3,\n",
}
LEFT = {"part": [(1000, 4_000_000), (2000, 6_000_000)], "all": [(1000, 4_000_000)]}


def imported(home: Path, source: Path, mapping: str, lines: str) -> HomePaths:
    source.mkdir(exist_ok=True)
    (source / "lines.csv").write_text(HEAD + lines)
    paths = HomePaths(home)
    shop = ShopFiles(parse_mapping(mapping, "dairy.toml"), "0" * 64, source)
    run_import(paths, shop, mapping, datetime(2026, 1, 10, tzinfo=UTC))
    return paths


def streamed(paths: HomePaths, *rows: dict[str, Any]) -> None:
    common = {columns.USER_ID: "ann", columns.ITEM_ID: "brie", columns.WEIGHT: 1.0}
    EventLake(paths.live).append(
        pa.Table.from_pylist([{**common, **row} for row in rows], schema=EVENT_SCHEMA)
    )


def cancel(pieces: int, identifier: str = "c1") -> dict[str, Any]:
    at = datetime(2026, 1, 6, 10, tzinfo=UTC)
    row = {columns.EVENT_ID: identifier, columns.KIND: columns.CANCEL, columns.AT: at, columns.SEQUENCE: 9}
    return {**row, columns.QUANTITY: 1000 * pieces}


def left(paths: HomePaths, happened: bool = False) -> list[tuple[int, int]]:
    """Quantity and money of each purchase that stands, oldest first."""
    lake = open_lake(paths)
    log = read_log(lake.read_as_happened() if happened else lake.read())
    rest = {place: (int(log.quantity[place]), int(log.value[place])) for place in range(len(log))}
    taken = log.taken_back
    for place, quantity, value in zip(taken.purchase, taken.quantity_left, taken.value_left, strict=True):
        rest[int(place)] = int(quantity), int(value)
    return [rest[place] for place in range(len(log)) if log.is_action[place] and rest[place][0]]


@pytest.mark.parametrize("back", ["part", "all"])
def test_the_lake_is_net_of_returns_and_knows_what_happened_when(tmp_path: Path, back: str) -> None:
    paths = imported(tmp_path / "home", tmp_path / "source", MAPPING, FIRST + BACK[back])
    net = open_lake(paths).read()
    assert net[columns.QUANTITY].to_pylist() == [quantity for quantity, _ in LEFT[back]]
    came = open_lake(paths).read_as_happened()
    assert came[columns.KIND].to_pylist() == [columns.PURCHASE, columns.PURCHASE, columns.CANCEL]
    assert came[columns.QUANTITY].to_pylist()[:2] == [1000, 3000]  # before anything was returned
    assert came[columns.VALUE_MICROS].to_pylist()[:2] == [4_000_000, 9_000_000]
    assert left(paths, happened=True) == LEFT[back]
    until = datetime(2026, 1, 6, tzinfo=UTC)
    assert open_lake(paths).read_as_happened(end=until).equals(came.slice(0, 2))


def test_a_purchase_that_was_returned_in_part_and_then_whole_came_whole(tmp_path: Path) -> None:
    rest = "c2,ann,brie,2026-01-07 10:00:00,back,2,\n"
    paths = imported(tmp_path / "home", tmp_path / "source", MAPPING, FIRST + BACK["part"] + rest)
    came = open_lake(paths).read_as_happened([columns.QUANTITY, columns.VALUE_MICROS]).to_pylist()
    assert came[1] == {columns.QUANTITY: 3000, columns.VALUE_MICROS: 9_000_000}
    assert left(paths, happened=True) == left(paths) == LEFT["all"]


def test_a_home_that_does_not_know_how_returned_purchases_came_says_what_is_left_of_them(
    tmp_path: Path,
) -> None:
    paths = imported(tmp_path / "home", tmp_path / "source", MAPPING, FIRST + BACK["part"])
    (paths.data / RETURNED_FOLDER / AS_THEY_CAME).unlink()  # as earlier versions imported
    assert open_lake(paths).read_as_happened().equals(open_lake(paths).read())


@pytest.mark.parametrize("ids", ["", 'event_id = "id"\n'])
@pytest.mark.parametrize("back", ["part", "all"])
def test_a_streamed_return_that_a_file_delivers_again_counts_once(
    tmp_path: Path, back: str, ids: str
) -> None:
    mapping, pieces = MAPPING + ids, 1 if back == "part" else 3
    paths = imported(tmp_path / "home", tmp_path / "source", mapping, FIRST)
    streamed(paths, cancel(pieces))
    assert left(paths) == LEFT[back]
    imported(tmp_path / "home", tmp_path / "source", mapping, FIRST + BACK[back])
    assert left(paths) == left(paths, happened=True) == LEFT[back]
    assert sum(vars(open_lake(paths).counted_once()).values()) == 1
    assert "c1" in open_lake(paths).event_ids(datetime(2026, 1, 1, tzinfo=UTC)).to_pylist()


def test_a_return_that_only_the_stream_knows_still_counts(tmp_path: Path) -> None:
    mapping = MAPPING + 'event_id = "id"\n'
    paths = imported(tmp_path / "home", tmp_path / "source", mapping, FIRST + BACK["part"])
    later = {**cancel(1, "c2"), columns.AT: datetime(2026, 1, 7, tzinfo=UTC)}
    streamed(paths, cancel(1), later)
    assert left(paths) == left(paths, happened=True) == [(1000, 4_000_000), (1000, 3_000_000)]
