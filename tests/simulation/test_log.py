"""A simulated log: behaviour as stated, disorder as stated, and the importer takes it."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.events import Cart, UserEvent
from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import load_mapping
from recsys.instants import DAY, to_micros
from recsys.jobs.data.import_shop import run_import
from recsys.simulation.log_files import write_items, write_log
from recsys.stores.lake.event_lake import EventLake
from tests.simulation.catalogs import small_catalog
from tests.simulation.logs import Log, make_log


@pytest.fixture(scope="module")
def untidy(tmp_path_factory: pytest.TempPathFactory) -> Log:
    shares = {"bot_share": 0.02, "duplicate_share": 0.05, "late_share": 0.1, "skewed_share": 0.2}
    return make_log(tmp_path_factory.mktemp("untidy"), **shares)


def within(observed: float, expected: float, trials: float, sigmas: float = 4.0) -> bool:
    """Whether a frequency is where a binomial one is but once in thirty thousand times."""
    return abs(observed - expected) <= sigmas * np.sqrt(max(expected * (1 - expected), 1e-9) / trials)


def test_an_equal_seed_gives_an_equal_log_and_another_seed_another(tmp_path: Path) -> None:
    one, again, other = (make_log(tmp_path, days=1, seed=seed) for seed in (3, 3, 4))
    assert one.arriving == again.arriving
    assert one.truth.shown == again.truth.shown
    assert one.arriving != other.arriving


def test_everybody_is_called_simulated(untidy: Log) -> None:
    for event in untidy.events:
        assert event.user_id.startswith("sim-")
        assert event.event_id.startswith("sim-")
        assert event.session_id is not None
        assert event.session_id.startswith("sim-")


def test_positions_are_examined_as_stated(tidy: Log) -> None:
    position = tidy.truth.shown["position"].to_numpy()
    examined = tidy.truth.shown["examined"].to_numpy()
    for place in range(1, 11):
        seen = examined[position == place]
        assert within(seen.mean(), place**-0.7, len(seen)), f"position {place}"


def test_click_through_equals_the_truth_by_position_and_by_chance(tidy: Log) -> None:
    shown = tidy.truth.shown
    true, clicked = shown["p_click"].to_numpy(), shown["clicked"].to_numpy()
    position = shown["position"].to_numpy()
    groups: list[Callable[[], Any]] = [lambda p=place: position == p for place in range(1, 11)]
    edges = np.quantile(true, np.linspace(0, 1, 11))
    groups += [lambda a=low, b=high: (true >= a) & (true <= b) for low, high in pairwise(edges)]
    for group in groups:
        chosen = group()
        spread = np.sqrt((true[chosen] * (1 - true[chosen])).sum())
        assert abs(clicked[chosen].sum() - true[chosen].sum()) < 4 * spread


def test_a_click_is_an_examined_place_and_is_reported(tidy: Log) -> None:
    shown = tidy.truth.shown.to_pylist()
    assert all(row["examined"] for row in shown if row["clicked"])
    clicked = {(row["request_id"], row["item_id"], row["position"]) for row in shown if row["clicked"]}
    reported = {
        (event.request_id, event.item_id, event.position)  # type: ignore[attr-defined]
        for event in tidy.events
        if event.kind == "click"
    }
    assert clicked == reported
    assert len(shown) == sum(event.kind == "impression" for event in tidy.events)


def test_within_a_session_each_step_follows_the_one_before(tidy: Log) -> None:
    order = ("impression", "click", "view", "cart", "purchase", "cancel")
    by_item: dict[Any, dict[str, datetime]] = defaultdict(dict)
    searched: dict[str | None, datetime] = {}
    for event in tidy.events:
        if event.kind == "search":
            searched[event.request_id] = event.at
            continue
        by_item[event.request_id, event.item_id][event.kind] = event.at  # type: ignore[attr-defined]
    for (request, _), at in by_item.items():
        kinds = [kind for kind in order if kind in at]
        assert kinds == list(order[: len(kinds)])  # no purchase without a cart, no click unseen
        assert all(at[early] < at[late] for early, late in pairwise(kinds))
        assert request not in searched or searched[request] < at["impression"]
    found = Counter(event.kind for event in tidy.events)
    assert found["cancel"] > 0
    assert found["impression"] > found["click"] == found["view"] > found["cart"] > found["purchase"]


def test_night_is_quieter_than_day(tidy: Log) -> None:
    hours = Counter(event.at.hour for event in tidy.events)
    assert sum(hours[hour] for hour in (2, 3, 4)) < 0.15 * sum(hours[hour] for hour in (18, 19, 20))


def test_a_tidy_log_arrives_in_order_and_once(tidy: Log) -> None:
    arrivals = [at for at, _ in tidy.arriving]
    assert arrivals == sorted(arrivals)
    assert len({event.event_id for event in tidy.events}) == len(tidy.events)


def test_duplicates_late_events_and_wrong_clocks_come_in_the_stated_shares(untidy: Log) -> None:
    arrivals = [at for at, _ in untidy.arriving]
    assert arrivals == sorted(arrivals)
    first: dict[str, tuple[int, UserEvent]] = {}
    for at, event in untidy.arriving:
        first.setdefault(event.event_id, (at, event))
    count = len(first)
    assert within((len(untidy.arriving) - count) / count, 0.05, count)
    skew = dict(zip(map(untidy.world.user_id, range(300)), untidy.world.skew.tolist(), strict=True))
    delays = np.array([at - to_micros(event.at) + skew[event.user_id] for at, event in first.values()])
    assert within((delays > 60e6).mean(), 0.1, count)
    assert delays.min() > -1
    assert delays.max() < 2 * DAY + 60e6
    assert within(np.mean([value != 0 for value in skew.values()]), 0.2, 300)
    assert max(map(abs, skew.values())) <= 250e6  # a shop believes a clock five minutes ahead


def test_the_importer_takes_the_whole_log_and_finds_what_is_wrong_with_it(
    tmp_path: Path, untidy: Log
) -> None:
    write_items(tmp_path / "source", small_catalog())
    written = write_log(tmp_path / "source" / "events.jsonl.gz", iter(untidy.arriving))
    shop = ShopFiles(load_mapping("simulated"), "0", tmp_path / "source")
    imported = run_import(HomePaths(tmp_path / "home"), shop, "", datetime(2026, 3, 1, tzinfo=UTC))
    report = imported.report["events"]
    assert report["rows"] == written == len(untidy.arriving)
    # None malformed. A machine that sees one thing twice in a second makes near duplicates.
    assert set(report["reasons"]) <= {"duplicate", "near_duplicate", "bot", "cancelled", "cancellation"}
    ids = [event.event_id for event in untidy.events]
    assert report["reasons"]["duplicate"] == len(ids) - len(set(ids))
    machines = [event for event in untidy.events if event.user_id.startswith("sim-bot-")]
    assert 0.2 * len(machines) < report["reasons"]["bot"] <= len(machines)
    tea = next(row for row in imported.items.to_pylist() if row["item_id"] == "tea-03")
    assert (tea["category"], tea["brand"], tea["price_micros"]) == ("tea", "farm", 2_000_000)
    assert json.loads(tea["attributes"]) == {"tags": ["colour: red", "tags: a", "tags: b", "size: 3.5"]}
    sold_out = [row["item_id"] for row in imported.items.to_pylist() if not row["available"]]
    assert len(sold_out) == 6


def test_amounts_survive_the_way_through_the_importer(tmp_path: Path, tidy: Log) -> None:
    write_items(tmp_path / "source", small_catalog())
    write_log(tmp_path / "source" / "events.jsonl", [(0, event) for event in tidy.events])
    shop = ShopFiles(load_mapping("simulated"), "0", tmp_path / "source")
    paths = HomePaths(tmp_path / "home")
    run_import(paths, shop, "", datetime(2026, 3, 1, tzinfo=UTC))
    kept = {row["event_id"]: row for row in EventLake(paths.lake).read().to_pylist()}
    carts = [event for event in tidy.events if isinstance(event, Cart)]
    assert len(carts) > 50
    for cart in carts:
        assert kept[cart.event_id]["value_micros"] == cart.value_micros
        assert kept[cart.event_id]["quantity_thousandths"] == 1000 * cart.quantity


def test_equal_logs_are_equal_files(tmp_path: Path, tidy: Log) -> None:
    for name in ("events-a.jsonl.gz", "events-b.jsonl.gz"):
        write_log(tmp_path / name, tidy.arriving[:100])
    assert (tmp_path / "events-a.jsonl.gz").read_bytes() == (tmp_path / "events-b.jsonl.gz").read_bytes()


def test_a_log_that_the_mapping_would_not_find_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"events\.jsonl"):
        write_log(tmp_path / "traffic.jsonl", [])
