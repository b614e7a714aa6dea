"""Candidates under a filter: every source is asked among what is allowed, so a narrow filter empties none."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from recsys import columns
from recsys.dataset.interactions import Histories, Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.filters import Filters
from recsys.funnel import candidates as candidate_module
from recsys.funnel.candidates import SOURCES, CandidateContext, CandidateSources
from recsys.funnel.catalog import Catalog
from recsys.models.bundle import Bundle
from recsys.models.fusion import Fusion, FusionShape
from recsys.models.neighbours import Neighbours
from recsys.models.signals import SignalTables, UserSignals
from recsys.retrieval.dense_index import DenseIndex
from tests.fake_world import MeanRetriever, shop_bundle

ITEMS, WIDTH, NEIGHBOURS = 6_000, 16, 20
SHARES = {"half": 0.5, "tenth": 0.1, "hundredth": 0.01, "thousandth": 0.001}  # by category
PLAIN = FusionShape(
    4, 12.0, True, text=0, words=0, network=0, popularity=0, cold=0, cold_text=0, floor=1.0
)  # neighbours alone


@cache
def large_bundle() -> Bundle:
    """Random items; each has random neighbours; a category is a cluster and brand "tenth" a tenth of each."""
    rng = np.random.default_rng(0)
    names = (*SHARES, *(f"other {place}" for place in range(20)))
    shares = [*SHARES.values(), *([(1 - sum(SHARES.values())) / 20] * 20)]
    category = rng.choice(len(names), ITEMS + 1, p=shares)
    centres = rng.normal(size=(len(names), 1, WIDTH)) + 0.7 * rng.normal(size=(len(names), 12, WIDTH))
    vectors = centres[category, rng.integers(0, 12, ITEMS + 1)] + 0.35 * rng.normal(size=(ITEMS + 1, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    vectors = vectors.astype(np.float32)
    popularity = np.append(0, rng.permutation(np.arange(1, ITEMS + 1))).astype(np.float32)
    neighbours = rng.integers(1, ITEMS + 1, (ITEMS + 1, NEIGHBOURS))
    scores = np.sort(rng.random((ITEMS + 1, NEIGHBOURS)).astype(np.float32))[:, ::-1]
    none = Neighbours(np.zeros((ITEMS + 1, 1), np.int64), np.zeros((ITEMS + 1, 1), np.float32))
    ids = ("", *(f"item-{place}" for place in range(1, ITEMS + 1)))
    return shop_bundle(
        items=ItemTable(
            vocabulary=Vocabulary(ids),
            titles=ids,
            categories=("", *(names[code] for code in category[1:])),
            brands=("", *("tenth" if one < 0.1 else "rest" for one in rng.random(ITEMS))),
            price_micros=np.full(ITEMS + 1, 1_000_000),
            available=np.arange(ITEMS + 1) > 0,
            attributes=("{}",) * (ITEMS + 1),
        ),
        retriever=MeanRetriever(vectors),
        text_vectors=vectors,
        signal_tables=SignalTables(
            co_occurrence=Neighbours(neighbours, scores),
            item_cosine=none,
            text=none,
            words=none,
            item_vectors=vectors,
            item_events=popularity,
            popularity=popularity,
            text_missing=np.zeros(ITEMS + 1, bool),
        ),
    )


@cache
def scanned() -> DenseIndex:
    return DenseIndex(large_bundle().item_vectors, exact_up_to=0)


def sources(bundle: Bundle) -> CandidateSources:
    return CandidateSources(bundle, Catalog(bundle), scanned())


def history(*items: int) -> Histories:
    """One user's purchases, a day apart."""
    at = np.arange(len(items)) * 86_400
    return Histories(
        np.array([items]),
        np.full((1, len(items)), columns.KIND_CODES[columns.PURCHASE]),
        at[None],
        at[-1:] + 1,
    )


def signals(bundle: Bundle, *items: int) -> UserSignals:
    asked = history(*items)
    return sources(bundle).user_signals(asked, bundle.retriever.user_vectors(asked))


CONTEXTS: Mapping[str, tuple[bool, int, int]] = {
    "unknown user": (False, 0, 0),
    "known user": (True, 0, 0),
    "unknown user and item": (False, 77, 0),
    "known user and item": (True, 77, 0),
    "unknown user and category": (False, 0, 1),
    "known user and category": (True, 0, 1),
    "known user, item and category": (True, 77, 1),
}


def context(name: str) -> CandidateContext:
    known, item, category = CONTEXTS[name]
    user = signals(large_bundle(), 5, 900, 77, 3000) if known else None
    return CandidateContext(user, item, category and Catalog(large_bundle()).category_code("tenth"))


@cache
def masks() -> Mapping[str, np.ndarray]:
    """Random filters, and those that requests have: one category, one brand, both."""
    catalog, rng = Catalog(large_bundle()), np.random.default_rng(4)
    found = {}
    for name, share in SHARES.items():
        found[f"random {name}"] = rng.random(ITEMS + 1) < share
        found[f"category {name}"] = catalog.passing(Filters(categories=(name,)))
    found["brand"] = catalog.passing(Filters(brands=("tenth",)))
    found["category and brand"] = catalog.passing(Filters(categories=("half",), brands=("tenth",)))
    for mask in found.values():
        mask[0] = False
    return found


def test_the_index_that_these_tests_ask_scans() -> None:
    assert not scanned().exact


@pytest.mark.parametrize("who", CONTEXTS)
def test_as_many_as_are_allowed_are_found_and_nothing_else(who: str) -> None:
    asked, shop = context(who), sources(large_bundle())
    for name, allowed in masks().items():
        for count in (10, 100, 500):
            found, _ = shop.find(asked, allowed, count)
            assert allowed[found.index].all(), (name, count)
            assert len(set(found.index.tolist())) == len(found), (name, count)
            assert len(found) == min(count, np.count_nonzero(allowed)), (name, count)


def test_nearly_all_of_the_nearest_allowed_items_are_candidates() -> None:
    # Fusion follows the network alone, so its candidates are the nearest by it.
    bundle = large_bundle()
    tables = replace(bundle.signal_tables, co_occurrence=bundle.signal_tables.text)
    bundle = replace(bundle, signal_tables=tables, fusion=Fusion(replace(PLAIN, network=1.0)).eval())
    shop, vectors = sources(bundle), bundle.item_vectors
    rng = np.random.default_rng(6)
    users = [signals(bundle, *rng.integers(1, ITEMS + 1, 3)) for _ in range(12)]
    for name, allowed in masks().items():
        rows = np.flatnonzero(allowed)
        for count in (10, 100, 500):
            recalls = []
            for user in users:
                nearest = rows[np.argsort(-(vectors[rows] @ user.vectors[0]))[:count]]
                found, _ = shop.find(CandidateContext(user), allowed, count)
                recalls.append(np.isin(nearest, found.index).mean())
            assert np.mean(recalls) >= 0.97, (name, count)


def test_weak_neighbours_are_candidates_where_the_strong_ones_are_not_allowed() -> None:
    # Of 20 neighbours the 10 strongest would be looked at for 5 candidates; a filter leaves the 5 weakest.
    bundle = replace(large_bundle(), fusion=Fusion(PLAIN).eval())
    weakest = bundle.signal_tables.co_occurrence.index[5, -5:]
    allowed = masks()["random tenth"].copy()
    allowed[bundle.signal_tables.co_occurrence.index[5]] = False
    allowed[weakest] = True
    found, _ = sources(bundle).find(CandidateContext(signals(bundle, 5)), allowed, 5)
    assert set(weakest.tolist()) == set(found.index.tolist())
    assert {SOURCES[code] for code in found.source.tolist()} == {"together"}


def test_many_users_with_filters_of_their_own_get_what_each_gets_alone() -> None:
    bundle, filters = large_bundle(), [masks()[name] for name in ("random tenth", "category half", "brand")]
    shop = sources(bundle)
    items = [(5, 900, 77), (8, 13, 21), (3000, 1, 2)]
    each = [history(*one) for one in items]
    together = Histories(
        *(np.concatenate([getattr(one, field.name) for one in each]) for field in fields(Histories))
    )
    users = shop.user_signals(together, bundle.retriever.user_vectors(together))
    found = shop.fused(users, np.stack(filters), 50, repeats=False)
    for row, allowed in enumerate(filters):
        alone, _ = shop.find(CandidateContext(signals(bundle, *items[row])), allowed, 50)
        mine = found.flat[found.flat // (ITEMS + 1) == row] % (ITEMS + 1)
        assert mine.tolist() == alone.index.tolist()


def test_new_items_are_sought_among_the_newest_that_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_module, "NEWEST", 2)
    shop, oldest = sources(large_bundle()), ITEMS - 9
    shop._trained = oldest  # the last ten came later
    asked = np.array([oldest])  # its own text: nothing is more similar
    everything = np.arange(ITEMS + 1) > 0
    assert oldest not in shop._new_items(asked, everything)
    assert shop._new_items(asked, np.arange(ITEMS + 1) == oldest).tolist() == [oldest]
