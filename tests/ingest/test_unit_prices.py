"""What items cost by what was paid for them: at the end, and as it was known at each instant before."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.ingest.tables.unit_prices import UnitPrices
from recsys.instants import DAY, to_micros

START = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
MILLION = 1_000_000


def bought(*rows: tuple[str, str, int, int]) -> pa.Table:
    """Event id, item, day of 2026 from 0, price."""
    return pa.Table.from_pylist(
        [
            {
                columns.EVENT_ID: identifier,
                columns.KIND: columns.PURCHASE,
                columns.USER_ID: "u",
                columns.ITEM_ID: item,
                columns.AT: START + day * DAY,
                columns.SEQUENCE: place,
                columns.VALUE_MICROS: price * MILLION,
                columns.WEIGHT: 1.0,
            }
            for place, (identifier, item, day, price) in enumerate(rows)
        ],
        schema=EVENT_SCHEMA,
    )


def versions(prices: UnitPrices, end: int) -> list[tuple[str, float, int]]:
    """Item, day from which, price."""
    table = prices.versions(START + end * DAY)
    days = (table[columns.AT].cast(pa.int64()).to_numpy() - START) / DAY
    costs = table[columns.PRICE_MICROS].to_numpy() // MILLION
    return list(zip(table[columns.ITEM_ID].to_pylist(), days.tolist(), costs.tolist(), strict=True))


def told(events: pa.Table, returned: pa.Table | None = None) -> UnitPrices:
    prices = UnitPrices()
    prices.add(events, EVENT_SCHEMA.empty_table() if returned is None else returned)
    return prices


def test_a_price_is_known_from_the_first_purchase_and_moves_at_the_beginning_of_a_month() -> None:
    prices = told(
        bought(
            ("1", "tea", 2, 4),
            ("2", "tea", 3, 6),
            ("3", "tea", 20, 6),
            ("4", "tea", 40, 9),
            ("5", "oil", 45, 3),
        )
    )
    # By February (day 31) tea was paid 4, 6 and 6; at the end 4, 6, 6 and 9: the lower median is 6.
    assert versions(prices, 50) == [("oil", 45, 3), ("tea", 2, 4), ("tea", 31, 6)]


def test_the_last_price_is_that_of_the_end_of_the_log() -> None:
    prices = told(bought(("1", "tea", 2, 4), ("2", "tea", 40, 9), ("3", "tea", 41, 9)))
    assert versions(prices, 50) == [("tea", 2, 4), ("tea", 50, 9)]
    assert prices.medians()[columns.PRICE_MICROS].to_pylist() == [9 * MILLION]


def test_a_return_changes_the_last_price_and_none_before() -> None:
    kept = bought(("1", "tea", 2, 4), ("2", "tea", 40, 9))
    undone = bought(("3", "tea", 3, 2), ("4", "tea", 4, 2))
    # Those of 2 were paid when February began; at the end there are 4 and 9, less what was returned.
    assert versions(told(kept, undone), 50) == [("tea", 2, 4), ("tea", 31, 2), ("tea", 50, 4)]


purchases = st.lists(
    st.tuples(st.sampled_from(["tea", "oil"]), st.integers(0, 120), st.integers(1, 9)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(purchases, st.integers(1, 120))
def test_a_price_at_an_instant_depends_only_on_purchases_before_it(
    rows: list[tuple[str, int, int]], cut: int
) -> None:
    def known(rows: list[tuple[str, int, int]]) -> list[tuple[str, float, int]]:
        events = bought(*((str(place), *row) for place, row in enumerate(rows)))
        return [each for each in versions(told(events), 200) if each[1] <= cut]

    changed = [(item, day, price if day < cut else 10 - price) for item, day, price in rows]
    some = [row for row in rows if row[1] < cut]
    now = {(item, day) for item, day, _ in known(rows) if day == cut}  # dated by a purchase at the cut itself
    assert [each for each in known(rows) if each[:2] not in now] == [
        each for each in known(changed) if each[:2] not in now
    ]
    if some:
        before = [each for each in known(rows) if each[1] < cut]
        assert [each for each in known(some) if each[1] < cut] == before


def test_only_the_latest_purchases_count_however_often_rows_are_condensed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    rows = [(str(n), "tea", n // 15, int(rng.integers(1, 99))) for n in range(1500)]  # in order of time
    whole, parts = told(bought(*rows)), UnitPrices()
    monkeypatch.setattr("recsys.ingest.tables.unit_prices._CONDENSE_ROWS", 400)
    for start in range(0, len(rows), 100):
        parts.add(bought(*rows[start : start + 100]), EVENT_SCHEMA.empty_table())
    assert versions(parts, 105) == versions(whole, 105)
