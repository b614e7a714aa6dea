"""What simulated clicks teach and what interleaving sees, over a small shop's index of words."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys.arrays import IntArray
from recsys.config import Settings
from recsys.errors import ConfigError, DataError
from recsys.instants import to_micros
from recsys.jobs.search.simulation.experiments import (
    SearchShop,
    learn_from_simulated_clicks,
    measure_interleaving,
    open_rankings,
    open_search_shop,
)
from recsys.jobs.search.simulation.interleaving import Turned, repeat_interleaving
from recsys.jobs.search.simulation.judgments import events_log, judge_clicks, truth_log
from recsys.jobs.search.simulation.pages import SearcherPages
from recsys.simulation.habits import Habits
from recsys.simulation.page_events import Names
from recsys.simulation.search_visits import simulate_searches
from recsys.simulation.searches import Question, ShopperSearches
from recsys.simulation.truth import TruthWriter, read_truth
from recsys.stores.lake.dataset_files import save_items
from tests.search.small_shop import FakePages, Row, make_searcher
from tests.simulation.search_world import search_catalog

MONDAY = to_micros(datetime(2026, 1, 5, tzinfo=UTC))
NOW = datetime(2025, 3, 1, tzinfo=UTC)


def open_shop(folder: Path, **habits: Any) -> SearchShop:
    settings = Settings(home=folder / "home")
    save_items(settings.paths, search_catalog())
    values = {"shoppers": 150, "search_sessions": 1.0, "filter_share": 0.0, "needs": 12, **habits}
    return open_search_shop(settings, Habits(**values))


def test_what_the_events_say_is_what_was_shown_and_clicked(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, shoppers=40, duplicate_share=0.3)
    world, needs = shop.open()
    names = Names("0")
    with (
        open_rankings(shop, ["BM25"]) as rankings,
        TruthWriter(tmp_path / "truth.parquet", world) as truth,
    ):
        searches = ShopperSearches(world, needs, rankings[0], names, truth)
        events = [event for _, event in simulate_searches(world, searches, MONDAY, 1, names, truth)]
    heard, true = events_log(events), truth_log(read_truth(tmp_path / "truth.parquet").shown)

    def shown(log: Any) -> set[tuple[str, str, int, bool]]:
        rows = zip(log.shown.query, log.shown.item, log.shown.position, log.shown.clicked, strict=True)
        return {(log.queries[q], log.items[i], int(p), bool(c)) for q, i, p, c in rows}

    assert shown(heard) == shown(true)
    assert len(heard.shown) == len(true.shown) > 300


@pytest.mark.slow
def test_attraction_learned_with_some_pages_by_chance_is_nearer_to_the_truth_than_click_rates(
    tmp_path: Path,
) -> None:
    shop = open_shop(tmp_path, shoppers=600, needs=30, shuffled_share=0.15)
    found = learn_from_simulated_clicks(shop, "BM25", MONDAY, 12, tmp_path / "truth.parquet", 50)
    assert found.examination_from == "chance"
    assert found.pairs > 300
    assert found.examination_error < 0.15
    assert found.agreement["attraction"].value > 0.85
    assert found.over_raw["attraction"].low > 0
    rows = found.rows()
    assert [row["grade"] for row in rows][-1] in ("click_rate", "coec")


def test_a_truth_without_searches_or_with_too_few_says_what_to_do(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, shoppers=20, second_page=0.0)
    with pytest.raises(DataError, match="Simulate more searches"):
        learn_from_simulated_clicks(shop, "BM25", MONDAY, 1, tmp_path / "truth.parquet", 10_000)
    truth = read_truth(tmp_path / "truth.parquet")
    empty = pa.Table.from_batches([], truth.shown.schema)
    with pytest.raises(DataError, match="search_sessions"):
        truth_log(empty)
    assert judge_clicks(truth, least_shown=1, samples=20).least_shown == 1


def test_a_row_knows_no_filters_and_says_so_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="filter_share=0"):
        learn_from_simulated_clicks(
            open_shop(tmp_path, filter_share=0.1), "BM25", MONDAY, 1, tmp_path / "t", 1
        )


@dataclass(frozen=True)
class ByRelevance:
    """The best items of the need whose words are asked for; `worst` turns it round."""

    lists: dict[str, IntArray]
    worst: bool = False

    def ranked(self, query: str) -> IntArray:
        found = self.lists[query]
        return found[::-1] if self.worst else found


def rankings(shop: SearchShop) -> tuple[Any, ...]:
    world, needs = shop.open()
    lists = {
        needs.text(place): np.argsort(-needs.relevance(place)[1:], kind="stable") + 1
        for place in range(len(needs))
    }
    return world, needs, ByRelevance(lists), ByRelevance(lists, worst=True)


PLAIN = {"dropped_share": 0.0, "typo_share": 0.0, "synonym_share": 0.0, "unit_share": 0.0}


def test_interleaving_sees_the_best_beside_the_worst_and_nothing_beside_itself(tmp_path: Path) -> None:
    world, needs, best, worst = rankings(open_shop(tmp_path, **PLAIN))
    found = repeat_interleaving(world, needs, best, worst, queries=150, experiments=8, samples=200)
    assert (found.first, found.second) == (8, 0)
    assert found.preference > 0.3
    assert found.clicks_first > 5 * found.clicks_second
    same = repeat_interleaving(world, needs, best, best, queries=150, experiments=20, samples=200)
    # At 5% each, five or more alarms of twenty come once in 390 times.
    assert same.first + same.second < 5
    assert same.clicks_first == same.clicks_second
    assert abs(same.preference) < 0.05


def test_the_lists_are_turned_round_as_far_as_asked(tmp_path: Path) -> None:
    _, needs, best, _ = rankings(open_shop(tmp_path))
    turned, plain = Turned(best, 3).ranked(needs.text(0)), best.ranked(needs.text(0))
    assert turned[:3].tolist() == plain[:3].tolist()[::-1]
    assert turned[3:].tolist() == plain[3:].tolist()


def test_a_table_has_false_alarms_and_power_of_each_size(tmp_path: Path) -> None:
    rows = measure_interleaving(open_shop(tmp_path), "BM25", "random", (30, 60), experiments=3)
    assert [(row["second"], row["queries"]) for row in rows] == [
        ("BM25", 30),
        ("random", 30),
        ("BM25", 60),
        ("random", 60),
    ]
    assert rows[3]["first wins"].startswith("100.0% [29.2")  # three of three


def test_a_searcher_answers_shoppers_page_by_page() -> None:
    shop = make_searcher([Row(f"Tea {number}", "drinks") for number in range(5)], pages=FakePages())
    pages = SearcherPages(shop, lambda: NOW)

    def ask(**fields: Any) -> Any:
        question = Question(**{"query": "tea", "user_id": "sim-1", "session_id": "s", "size": 3, **fields})
        return asyncio.run(pages.search(question))

    first = ask()
    second = ask(cursor=first.cursor)
    assert (first.total, len(first.item_ids), len(second.item_ids)) == (5, 3, 2)
    assert set(first.item_ids) | set(second.item_ids) == {f"i{number}" for number in range(1, 6)}
    assert second.query_id == first.query_id == first.request_id != second.request_id
    assert second.cursor is None
    assert ask(filters={"categories": ["bread"]}).total == 0
