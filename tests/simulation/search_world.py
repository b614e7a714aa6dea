"""A shop of 96 items in which people search: four categories, colours, kinds and sizes in the titles."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsys.dataset.schemas import ITEM_SCHEMA
from recsys.home import HomePaths
from recsys.simulation.habits import Habits
from recsys.simulation.needs import Needs, open_needs
from recsys.simulation.page_events import Names
from recsys.simulation.searches import SearchService, ShopperSearches
from recsys.simulation.truth import TruthWriter
from recsys.simulation.world import World, open_world
from recsys.stores.lake.dataset_files import save_items

KINDS = {
    "kitchen": ("kettle", "pan"),
    "garden": ("hose", "pot"),
    "office": ("lamp", "desk"),
    "bath": ("towel", "mat"),
}
COLOURS = ("red", "green", "blue")
SIZES = ("2 m", "500 ml", "3 kg", "12 oz")
TIDY = {"bot_share": 0.0, "duplicate_share": 0.0, "late_share": 0.0, "skewed_share": 0.0}


def search_catalog() -> pa.Table:
    rows = [
        {
            "item_id": f"{kind}-{colour}-{size}".replace(" ", ""),
            "title": f"{colour.title()} {kind.title()} {size}",
            "text": f"{kind} for the {category}",
            "category": category,
            "brand": "mill" if colour == "red" else "farm",
            "price_micros": (number + 1) * 1_500_000,
            "available": True,
            "attributes": "{}",
            "at": datetime(2025, 1, 1, tzinfo=UTC),
        }
        for category, kinds in KINDS.items()
        for kind in kinds
        for colour in COLOURS
        for number, size in enumerate(SIZES)
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["item_id"])), schema=ITEM_SCHEMA)


def search_world(**habits: Any) -> tuple[World, Needs]:
    values = {"shoppers": 200, "search_sessions": 1.0, "needs": 20, "filter_share": 0.0, **TIDY, **habits}
    world = open_world(Habits(**values), search_catalog())
    return world, open_needs(world.habits, world.space, search_catalog())


def shopper_searches(
    world: World, needs: Needs, service: SearchService, truth: TruthWriter | None = None
) -> ShopperSearches:
    return ShopperSearches(world, needs, service, Names("0"), truth)


def save_search_shop(home: Path) -> None:
    """Puts the catalog into a home, for the figures of docs/simulation.md."""
    save_items(HomePaths(home), search_catalog())


if __name__ == "__main__":
    save_search_shop(Path(sys.argv[1]))
