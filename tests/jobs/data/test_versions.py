"""Items that leave the catalog: unavailable, whatever events name them; most of them at once is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recsys.catalog import Item
from recsys.dataset.catalog_rows import items_of, items_table
from recsys.errors import DataError
from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import mapping_sha256, parse_mapping
from recsys.jobs.data.import_shop import run_import
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.item_log import item_log

MAPPING = """
name = "corner"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "orders.csv"
user = "who"
item = "what"
kind = "purchase"
time = "when"
[items]
files = "stock.csv"
id = "sku"
title = "name"
price = "price"
"""
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = {"tea": "tea,Tea,2", "cup": "cup,Cup,5", "pot": "pot,Pot,9"}


def import_catalog(
    folder: Path, *names: str, days: int = 0, mapping: str = MAPPING, least_share: float = 0.0
) -> dict[str, tuple[str, int | None, bool]]:
    """Imports a catalog of these items, all of which were bought; returns title, price and stock of all."""
    orders = [f"ann,{name},2026-02-{day + 1:02}T10:00:00Z" for day, name in enumerate(ROWS)]
    (folder / "orders.csv").write_text("\n".join(["who,what,when", *orders]))
    (folder / "stock.csv").write_text("\n".join(["sku,name,price", *(ROWS[name] for name in names)]))
    shop = ShopFiles(parse_mapping(mapping, "m.toml"), mapping_sha256(mapping), folder)
    paths = HomePaths(folder / "home")
    run_import(paths, shop, mapping, NOW + timedelta(days=days), least_share=least_share)
    return on_sale(paths)


def on_sale(paths: HomePaths) -> dict[str, tuple[str, int | None, bool]]:
    items = items_of(load_items(paths))
    return {item.item_id: (item.title, item.price_micros, item.available) for item in items}


def test_an_item_that_only_past_events_name_is_known_and_cannot_be_bought(tmp_path: Path) -> None:
    everything = import_catalog(tmp_path, *ROWS)
    gone = everything | {"cup": ("Cup", 5_000_000, False)}
    assert import_catalog(tmp_path, "tea", "pot", days=1) == gone
    assert import_catalog(tmp_path, "tea", "pot", days=2) == gone
    # Other settings of the catalog are no reason to sell it again.
    assert import_catalog(tmp_path, "tea", "pot", days=3, mapping=f'{MAPPING}brand = "name"') == gone
    assert import_catalog(tmp_path, *ROWS, days=4) == everything


def test_most_of_a_catalog_does_not_go_unnoticed(tmp_path: Path) -> None:
    everything = import_catalog(tmp_path, *ROWS)
    with pytest.raises(DataError, match=r"only 1 of the 3 items .* --force"):
        import_catalog(tmp_path, "tea", days=1, least_share=0.5)
    assert on_sale(HomePaths(tmp_path / "home")) == everything
    assert not import_catalog(tmp_path, "tea", days=1)["pot"][2]


def test_a_streamed_item_follows_the_files_from_the_import_that_says_more(tmp_path: Path) -> None:
    import_catalog(tmp_path, "tea", "cup")
    pot = Item("pot", "Pot", "Pot", price_micros=8_000_000, at=NOW + timedelta(hours=1))
    item_log(HomePaths(tmp_path / "home")).append(items_table([pot]), 1)
    assert import_catalog(tmp_path, "tea", "cup", days=1)["pot"] == ("Pot", 8_000_000, True)
    assert import_catalog(tmp_path, *ROWS, days=2)["pot"] == ("Pot", 9_000_000, True)
