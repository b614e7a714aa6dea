"""Recommendation learned with and without searches, on simulated traffic: the whole way on a tiny world."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recsys import columns
from recsys.config import EvaluationSettings, FusionSettings, RetrieverSettings, load_settings
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.simulation.channels import without_search
from recsys.simulation.habits import Habits
from recsys.simulation.judge import Oracle
from recsys.stores.lake.event_lake import open_lake
from scripts.benchmarks.quality.shared_representation_bench import (
    ALONE,
    NETWORK,
    PAIRS,
    SHARED,
    TRUE_CLICKS,
    WEEK,
    Comparison,
    compare,
    difference_rows,
    joined,
    make_traffic,
    of_users,
    pooled,
    rows,
)
from tests.simulation.catalogs import small_catalog
from tests.simulation.logs import TIDY, Log

ITEMS = Vocabulary.of(["a", "b", "c"])


def test_a_log_has_both_kinds_of_events_and_without_search_it_has_one(tidy: Log) -> None:
    asked = {event.request_id for event in tidy.events if event.kind == columns.SEARCH}
    by_search = Counter(event.kind for event in tidy.events if event.request_id in asked)
    unasked = Counter(event.kind for event in tidy.events if event.request_id not in asked)
    for kind in ("impression", "click", "view", "cart", "purchase"):
        assert by_search[kind] > 0, kind
        assert unasked[kind] > 0, kind
    kept = without_search(tidy.arriving)
    assert kept == [one for one in tidy.arriving if one[1].request_id not in asked]
    assert Counter(event.kind for _, event in kept) == unasked


def test_an_answer_that_arrives_before_its_search_is_left_out_as_well(tidy: Log) -> None:
    assert len(without_search(tidy.arriving[::-1])) == len(without_search(tidy.arriving))


def test_no_list_deserves_more_clicks_than_the_best(tidy: Log) -> None:
    oracle, rng = Oracle(tidy.truth), np.random.default_rng(0)
    for number in range(20):
        user = tidy.world.user_id(number)
        best = oracle.best(user, 3, 10)
        most = oracle.expected_clicks(user, 3, best)
        for slate in (rng.permutation(oracle.item_ids)[:10].tolist(), best[::-1]):
            available = [item for item in slate if not item.endswith("-07")]  # sold out
            assert oracle.expected_clicks(user, 3, available) <= most + 1e-12


def actions(users: list[str], rows: list[tuple[str, str, int]]) -> Interactions:
    """(user, item, instant) as actions."""
    known = Vocabulary.of(users)
    user, item, at = zip(*rows, strict=True)
    return Interactions(
        known,
        ITEMS,
        known.indexes(user),
        ITEMS.indexes(item),
        np.full(len(rows), 4),
        np.ones(len(rows), np.float32),
        np.array(at),
    )


def test_actions_keep_their_users_under_a_larger_vocabulary() -> None:
    some = actions(["ann", "cleo"], [("ann", "a", 1), ("cleo", "b", 2)])
    everybody = Vocabulary.of(["ann", "bob", "cleo"])
    found = of_users(some, everybody)
    assert [found.users.ids[user] for user in found.user_index] == ["ann", "cleo"]
    assert found.user_offsets.tolist() == [0, 0, 1, 1, 2]


def test_what_is_joined_changes_at_the_instant_and_stays_sorted() -> None:
    early = actions(["ann", "bob"], [("ann", "a", 1), ("ann", "b", 5), ("bob", "a", 2)])
    late = actions(["ann", "bob"], [("ann", "c", 4), ("ann", "c", 6), ("bob", "c", 3)])
    found = joined(early, late, 4)
    assert found.user_index.tolist() == [1, 1, 1, 2]
    assert found.at.tolist() == [1, 4, 6, 2]


def test_a_difference_is_that_of_the_same_questions() -> None:
    values = {
        model: {metric: np.array(shift) for metric in ("ndcg@10", "hr@10", TRUE_CLICKS)}
        for model, shift in ((ALONE, [0.0, 0.5, 1.0]), (SHARED, [0.25, 0.75, 1.25]))
    }
    slices = {"all": np.ones(3, bool), "cold users": np.zeros(3, bool)}
    table = difference_rows(Comparison(values, np.full(3, 2.0), slices), ALONE, SHARED)
    assert len(table) == 3  # nothing is said of an empty slice
    for row in table:
        assert (row["before"], row["after"]) == (0.5, 0.75)
        assert row["from"] == row["gain"] == row["to"] == 0.25  # constant, so there is no spread


@pytest.mark.slow  # Feast applies its declarations to two homes
def test_the_whole_way_on_a_tiny_world(home: Path) -> None:
    small = {
        "retriever": RetrieverSettings(
            width=16, text_width=8, epochs=1, negatives=50, batch_size=32, threads=1, warmup_steps=2
        ),
        "fusion": FusionSettings(neighbours=5, epochs=1, candidates=20, requests=50),
        "evaluation": EvaluationSettings(bootstrap_samples=20),
    }
    settings = load_settings().model_copy(update=small)
    available = 7  # of each kind; the next one is sold out
    habits = Habits(shoppers=60, sessions_per_day=0.5, search_share=0.5, **TIDY)
    traffic = make_traffic(home, settings, small_catalog(available), habits, weeks=3)
    assert traffic.test_start - traffic.train_end == WEEK
    kinds = {
        name: set(open_lake(one.paths).read(columns=[columns.KIND])[columns.KIND].to_pylist())
        for name, one in (("whole", traffic.whole), ("alone", traffic.alone))
    }
    assert kinds["whole"] - kinds["alone"] == {columns.SEARCH}
    found = compare(traffic, home / "runs")
    models = {name for pair in PAIRS for name in pair}
    assert set(found.values) == models >= {ALONE, SHARED, NETWORK + ALONE}
    for name, values in found.values.items():
        assert len(values["ndcg@10"]) == len(found.most) > 10, name
        assert (values[TRUE_CLICKS] > 0).all()
        assert (values[TRUE_CLICKS] <= found.most + 1e-9).all()


def test_worlds_are_pooled_question_by_question() -> None:
    one, two = (
        Comparison({ALONE: {"hr@10": np.full(count, value)}}, np.ones(count), {"all": np.ones(count, bool)})
        for count, value in ((1, 1.0), (3, 0.0))
    )
    found = pooled([one, two])
    assert found.values[ALONE]["hr@10"].tolist() == [1, 0, 0, 0]
    assert len(found.most) == len(found.slices["all"]) == 4


def test_what_is_printed_says_that_it_is_simulated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {metric: np.array([0.5, 1.0]) for metric in ("ndcg@10", "hr@10", TRUE_CLICKS)}
    found = Comparison(
        {name: values for pair in PAIRS for name in pair}, np.ones(2), {"all": np.ones(2, bool)}
    )
    bench = "scripts.benchmarks.quality.shared_representation_bench"
    monkeypatch.setattr(f"{bench}.demo_goods", lambda folder, count: None)
    monkeypatch.setattr(f"{bench}.make_traffic", lambda *given: None)
    monkeypatch.setattr(f"{bench}.compare", lambda *given: found)
    table = rows()
    assert [row["ratio"] for row in table] == [1.0] * 6
    assert all("simulated" in row["unit"] for row in table)
    said = capsys.readouterr()
    assert "SIMULATED" in said.out
    assert "SIMULATED" in said.err
