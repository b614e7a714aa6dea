"""Ids of events are unique in their table; which of several tables an id belongs to is kept with it."""

from pathlib import Path
from typing import Any

import pytest

from recsys.errors import ConfigError
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import parse_mapping
from tests.ingest.shop_folder import NOW, Rows

TABLE = """[[events]]
files = "{files}"
user = "who"
item = "what"
time = "at"
kind = "{kind}"
event_id = "id"
"""


def mapping(*tables: str) -> str:
    return "\n".join(('name = "tea"', "repeats = true", 'label_kinds = ["purchase"]', *tables))


CLICKS = TABLE.format(files="clicks.csv", kind="click")
ORDERS = TABLE.format(files="orders.csv", kind="purchase")
HEAD = "id,who,what,at\n"


def imported(folder: Path, text: str, **files: str) -> tuple[list[str], list[Any], ImportedShop]:
    """The ids that are kept, (file, row, reason) of the other rows, and the import."""
    for name, rows in files.items():
        (folder / f"{name}.csv").write_text(HEAD + rows)
    lake, quarantine = Rows(), Rows()
    shop = ShopFiles(parse_mapping(text, "tea.toml"), "0" * 64, folder)
    found = import_shop(shop, NOW, lake, quarantine, folder / "scratch")
    refused = [(row["file"], row["row"], row["reason"]) for row in quarantine.rows()]
    return [row["event_id"] for row in lake.rows()], refused, found


def lines(*ids: str, user: str = "ann", day: int = 5) -> str:
    """Rows a minute apart."""
    rows = enumerate(ids)
    return "".join(f"{each},{user},tea,2026-01-{day:02} 10:{place:02}:00\n" for place, each in rows)


def test_numbers_of_two_tables_do_not_meet(tmp_path: Path) -> None:
    text = mapping(CLICKS, ORDERS)
    ids, refused, found = imported(tmp_path, text, clicks=lines("1", "2"), orders=lines("1", "2", day=6))
    assert (ids, refused) == (["1:1", "1:2", "2:1", "2:2"], [])
    [warning] = found.report["warnings"]
    assert warning["code"] == "event_ids_of_tables"
    assert "the id 17 of table 1 is kept as '1:17'" in warning["message"]


def test_other_ids_of_two_tables_are_kept_as_they_are(tmp_path: Path) -> None:
    text = mapping(CLICKS, ORDERS)
    ids, refused, found = imported(tmp_path, text, clicks=lines("e1", "e2"), orders=lines("e1", day=6))
    assert (ids, refused, found.report["warnings"]) == (["e1", "e2", "e1"], [], [])


def test_a_repeated_id_of_one_table_is_a_duplicate(tmp_path: Path) -> None:
    text = mapping(CLICKS, ORDERS)
    _, refused, _ = imported(tmp_path, text, clicks=lines("1"), orders=lines("1", "1", day=6))
    assert refused == [("orders.csv", 3, "duplicate")]


@pytest.mark.parametrize("identifier", ["17", "e17"])
def test_the_same_event_in_two_tables_is_there_once(tmp_path: Path, identifier: str) -> None:
    text = mapping(ORDERS, TABLE.format(files="late.csv", kind="purchase"))
    files = {"orders": lines(identifier), "late": lines(identifier) + lines("18", day=6)}
    ids, refused, _ = imported(tmp_path, text, **files)
    assert refused == [("late.csv", 2, "duplicate")]
    assert len(ids) == 2


def test_ids_of_the_only_table_that_gives_them_stay(tmp_path: Path) -> None:
    text = mapping(CLICKS.replace('event_id = "id"\n', ""), ORDERS)
    ids, _, _ = imported(tmp_path, text, clicks=lines("1", "2", day=6), orders=lines("1", "2"))
    assert ids[2:] == ["1", "2"]  # those of the clicks are hashes


def test_a_stated_prefix_stands_before_all_ids_and_an_empty_one_joins_tables(tmp_path: Path) -> None:
    text = mapping(CLICKS + 'event_id_prefix = "c-"\n', ORDERS + 'event_id_prefix = ""\n')
    assert imported(tmp_path, text, clicks=lines("1", "x"), orders=lines("1"))[0] == ["c-1", "c-x", "1"]
    joined = mapping(CLICKS + 'event_id_prefix = ""\n', ORDERS + 'event_id_prefix = ""\n')
    ids, refused, _ = imported(tmp_path, joined, clicks=lines("1"), orders=lines("1", "2", day=6))
    assert (ids, refused) == (["1", "2"], [("orders.csv", 2, "duplicate")])


def test_a_prefix_without_ids_is_an_error() -> None:
    with pytest.raises(ConfigError, match="`event_id_prefix` needs `event_id`"):
        parse_mapping(mapping(ORDERS.replace('event_id = "id"', 'event_id_prefix = "o"')), "tea.toml")
