"""Each order is what its name says; a bundle's manifest says which one answers which kind of request."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.models.fusion import initial_fusion
from recsys.models.manifest import Manifest
from recsys.models.orders import (
    COSINES,
    COUNT_AND_RECENCY,
    FUSION,
    NEIGHBOURS_AND_TEXT,
    NO_HISTORY,
    OWN_ACTIONS,
    PERSONAL_FREQUENCY,
    POPULARITY_OF_ALL_TIME,
    PRIOR,
    RANKER,
    RECENT_POPULARITY,
    REPEATS_KEPT,
    REPEATS_REMOVED,
    REQUEST_KINDS,
    SIGNAL_ORDERS,
    SIMILAR,
    OrderChoice,
    first_stage_scores,
    kind_of,
)
from recsys.models.ranker import Ranker, RankerShape
from recsys.models.signals import SIGNALS
from tests.tiny_bundle import tiny_bundle

# Four items of one user, by what is known of each.
ITEMS: dict[str, dict[str, float]] = {
    "daily": {"own_count": 9, "own_long": 2.0, "own_moments": 0.1, "popularity": 1},
    "lately": {"own_count": 2, "own_long": 1.9, "own_moments": 1.0, "popularity": 256},
    "liked": {"together": 1.0, "words": 0.2, "text": 0.0, "popularity": 81},
    "alike": {"together": 0.6, "words": 0.8, "text": 0.8, "popularity": 16},
}


def matrix(items: dict[str, dict[str, float]] = ITEMS) -> np.ndarray:
    rows = np.zeros((len(items), len(SIGNALS)), np.float32)
    for row, values in zip(rows, items.values(), strict=True):
        for name, value in values.items():
            row[SIGNALS.index(name)] = value
    return rows


@pytest.mark.parametrize(
    ("order", "best_first"),
    [
        # 9, 2, and of the others the more popular one
        (OWN_ACTIONS, ["daily", "lately", "liked", "alike"]),
        # 2.0, 1.9, and of the others the more popular one
        (PERSONAL_FREQUENCY, ["daily", "lately", "liked", "alike"]),
        # (2 + 1) * 256 ** .25 = 12, (9 + .1) * 1 = 9.1
        (COUNT_AND_RECENCY, ["lately", "daily", "liked", "alike"]),
        # .6 + .5 * .8 + .25 * .8 = 1.2, 1 + .5 * .2 = 1.1, and of the others the more popular one
        (NEIGHBOURS_AND_TEXT, ["alike", "liked", "lately", "daily"]),
        # 256, 81, 16, 1
        (RECENT_POPULARITY, ["lately", "liked", "alike", "daily"]),
    ],
)
def test_a_baseline_orders_by_what_its_name_says(order: str, best_first: list[str]) -> None:
    scores = first_stage_scores(order, initial_fusion(4, repeats=True), matrix())
    assert scores.dtype == np.float32
    assert [list(ITEMS)[place] for place in np.argsort(-scores)] == best_first


def test_every_baseline_by_signals_is_in_the_table_above() -> None:
    assert set(SIGNAL_ORDERS) == {
        OWN_ACTIONS,
        PERSONAL_FREQUENCY,
        COUNT_AND_RECENCY,
        NEIGHBOURS_AND_TEXT,
        RECENT_POPULARITY,
    }


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1e6, width=32)), min_size=2, max_size=20))
def test_popularity_only_decides_among_equal_counts(items: list[tuple[int, float]]) -> None:
    rows = matrix({str(n): {"own_count": c, "popularity": p} for n, (c, p) in enumerate(items)})
    order = np.argsort(-first_stage_scores(OWN_ACTIONS, initial_fusion(4), rows), kind="stable")
    counts = [items[place][0] for place in order]
    assert counts == sorted(counts, reverse=True)


def test_fusion_and_its_prior_are_the_learned_orders() -> None:
    fusion = initial_fusion(4, repeats=True)
    with_mlp = initial_fusion(4, repeats=True)
    with_mlp.layers[-1].bias.data += 1.5  # type: ignore[union-attr]
    rows = matrix()
    np.testing.assert_array_equal(first_stage_scores(PRIOR, with_mlp, rows), fusion.score_by_prior(rows))
    np.testing.assert_array_equal(first_stage_scores(FUSION, with_mlp, rows), with_mlp.score(rows))
    assert (with_mlp.score(rows) != fusion.score_by_prior(rows)).all()


def choice(order: str, **changes: Any) -> OrderChoice:
    """`order`, which was better than a baseline by .1 on 200 questions."""
    fields: dict[str, Any] = {
        "order": order,
        "metric": "ndcg@20",
        "value": 0.4,
        "baseline": OWN_ACTIONS,
        "baseline_value": 0.3,
        "difference": 0.1,
        "low": 0.05,
        "high": 0.15,
        "questions": 200,
    }
    return OrderChoice(**(fields | changes))


def manifest_of(**orders: str) -> Manifest:
    names = {name.upper(): kind for name, kind in zip(("kept", "removed"), REQUEST_KINDS, strict=False)}
    names |= {"NOBODY": NO_HISTORY, "SIMILAR": SIMILAR}
    found = {names[name.upper()]: choice(order) for name, order in orders.items()}
    return tiny_bundle().manifest.model_copy(update={"orders": found})


def test_the_order_of_a_request_is_that_of_its_kind_in_the_manifest() -> None:
    orders = {"kept": OWN_ACTIONS, "removed": PRIOR, "nobody": POPULARITY_OF_ALL_TIME}
    bundle = tiny_bundle(manifest=manifest_of(**orders, similar=NEIGHBOURS_AND_TEXT))
    assert [bundle.order_of(kind) for kind in REQUEST_KINDS] == [
        OWN_ACTIONS,
        PRIOR,
        POPULARITY_OF_ALL_TIME,
        NEIGHBOURS_AND_TEXT,
    ]
    assert (kind_of(True), kind_of(False)) == (REPEATS_KEPT, REPEATS_REMOVED)


def test_a_kind_that_training_had_no_requests_of_is_ordered_as_its_counterpart() -> None:
    bundle = tiny_bundle(manifest=manifest_of(removed=NEIGHBOURS_AND_TEXT))
    assert bundle.order_of(REPEATS_KEPT) == NEIGHBOURS_AND_TEXT
    assert bundle.order_of(NO_HISTORY) == RECENT_POPULARITY
    assert bundle.order_of(SIMILAR) == COSINES


def test_a_bundle_of_an_earlier_version_orders_as_it_did() -> None:
    """It has no orders: its ranker orders unless it says that it does not, else fusion."""
    assert not tiny_bundle().manifest.orders
    for ranker, order in (
        (Ranker(RankerShape(hidden=4)), RANKER),
        (Ranker(RankerShape(hidden=4, orders=False)), FUSION),
        (None, FUSION),
    ):
        bundle = tiny_bundle(ranker=ranker)
        kinds = (REPEATS_KEPT, REPEATS_REMOVED, NO_HISTORY, SIMILAR)
        assert [bundle.order_of(kind) for kind in kinds] == [order, order, RECENT_POPULARITY, COSINES]
