"""A small catalog for simulated shoppers: six categories of forty items, two brands, rising prices."""

from datetime import UTC, datetime

import pyarrow as pa

from recsys.dataset.schemas import ITEM_SCHEMA

CATEGORIES = ("tea", "coffee", "bread", "cheese", "fruit", "wine")
START = 1_767_571_200_000_000  # 2026-01-05, a Monday, in microseconds


def small_catalog(each: int = 40) -> pa.Table:
    rows = [
        {
            "item_id": f"{category}-{number:02d}",
            "title": f"{category.title()} number {number}",
            "text": f"{category}. {'green' if number % 2 else 'black'} {category}",
            "category": category,
            "brand": "mill" if number % 3 else "farm",
            "price_micros": (number + 1) * 500_000,
            "available": number != 7,
            "attributes": '{"colour": "red", "tags": ["a", "b"], "size": 3.5}',
            "at": datetime(2025, 1, 1, tzinfo=UTC),
        }
        for category in CATEGORIES
        for number in range(each)
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["item_id"])), schema=ITEM_SCHEMA)
