"""The order of popularity after few items moved, and the members of categories, against sorting all anew."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.funnel.catalog import Catalog
from recsys.funnel.indexes.item_order import TrainedOrder, category_members, move_members, sort_items
from recsys.instants import DAY
from recsys.retrieval.popularity import POPULARITY_ORIGIN, LivePopularity, live_popularity
from tests.fake_world import shop_bundle

few = st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0])  # so that some are equal


@settings(deadline=None)
@given(
    st.lists(few, min_size=1, max_size=12),
    st.integers(0, 3),
    st.dictionaries(st.integers(1, 15), few),
    st.sampled_from([1.0, 0.5]),
)
def test_live_scores_give_the_order_that_a_sort_of_all_gives(
    trained: list[float], new: int, live: dict[int, float], worth: float
) -> None:
    scores, size = np.array([9.0, *trained]), len(trained) + 1 + new
    known = {item: score for item, score in live.items() if item < size}
    found = LivePopularity(worth, np.array(list(known), np.int64), np.array(list(known.values()), float))
    trained = TrainedOrder.of(scores)
    wanted = sort_items(found.of(scores, size)).tolist()
    assert trained.with_live(found, size).tolist() == wanted
    for count in range(size + 1):
        assert trained.with_live(found, size, count).tolist() == wanted[:count]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=12),
    st.dictionaries(st.integers(1, 12), st.integers(0, 6)),
    st.lists(st.integers(0, 6), max_size=3),
)
def test_members_move_to_their_new_category(codes: list[int], moves: dict[int, int], new: list[int]) -> None:
    before = np.array([0, *codes], np.int32)
    after = np.append(before, new).astype(np.int32)
    changed = [item for item in moves if item < len(before)]
    after[changed] = [moves[item] for item in changed]
    index = np.array([*changed, *range(len(before), len(after))], np.int64)
    members, touched = move_members(category_members(before), before, after, index)
    wanted = category_members(after)
    assert {code: items.tolist() for code, items in members.items() if len(items)} == {
        code: items.tolist() for code, items in wanted.items()
    }
    for code in set(wanted) - touched:
        assert wanted[code].tolist() == category_members(before)[code].tolist()


def test_a_catalog_with_live_scores_is_the_one_with_all_of_them() -> None:
    bundle = shop_bundle()
    catalog, now = Catalog(bundle), POPULARITY_ORIGIN + 40 * DAY
    live = {3: 50.0, 7: 0.25}
    whole = catalog.with_popularity(live_popularity(bundle.popularity, now - 14 * DAY, live, now))
    moved = catalog.with_popularity(LivePopularity.at(now - 14 * DAY, live, now))
    everything = np.ones(len(catalog), bool)
    assert moved.popularity.tolist() == whole.popularity.tolist()
    assert moved.by_popularity.tolist() == whole.by_popularity.tolist()
    assert moved.by_popularity.tolist() != catalog.by_popularity.tolist()
    for code in range(1, len(catalog.categories.names)):
        ours, wanted = (each.popular(99, everything, code).tolist() for each in (moved, whole))
        assert ours == wanted
        inside = catalog.categories.codes == code
        assert wanted == [item for item in whole.by_popularity.tolist() if inside[item]]
