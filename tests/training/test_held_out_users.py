"""Who is held out, depends on ids alone: whoever else is there, in whatever order, whatever anybody did."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.columns import RANKING_FEATURES
from recsys.training.requests import (
    CHOOSING_SHARE,
    HELD_OUT_SHARE,
    HeldOutUsers,
    RankingData,
    join_ranking_data,
)

names = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=60, unique=True)


def held_ids(held: HeldOutUsers, ids: list[str]) -> set[str]:
    of = held.of(["", *ids], np.arange(1, len(ids) + 1))
    return {identifier for identifier, is_held in zip(ids, of, strict=True) if is_held}


@given(names, st.floats(0, 1))
def test_a_share_of_the_users_is_held_out(ids: list[str], share: float) -> None:
    assert len(held_ids(HeldOutUsers.share_of(ids, share), ids)) == int(len(ids) * share)


def test_those_who_choose_fusions_epoch_are_others_than_those_who_judge_it() -> None:
    ids = [f"u{n}" for n in range(100)]
    choosing = HeldOutUsers.share_of(ids, CHOOSING_SHARE)
    held = HeldOutUsers.share_of(ids, HELD_OUT_SHARE, choosing.last)
    assert (len(held_ids(choosing, ids)), len(held_ids(held, ids))) == (15, 20)
    assert not held_ids(choosing, ids) & held_ids(held, ids)


@given(names, st.randoms())
def test_the_order_of_users_does_not_matter(ids: list[str], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(ids, len(ids))
    first, second = HeldOutUsers.share_of(ids, 0.2), HeldOutUsers.share_of(shuffled, 0.2)
    assert held_ids(first, ids) == held_ids(second, shuffled)


@given(names, st.lists(st.integers(0, 59), max_size=40))
def test_all_requests_of_a_user_are_held_out_or_none(ids: list[str], asked: list[int]) -> None:
    users = np.array([1 + place % len(ids) for place in asked], np.int64)
    held = HeldOutUsers.share_of(ids, 0.2)
    of = held.of(["", *ids], users)
    assert of.tolist() == [ids[user - 1] in held_ids(held, ids) for user in users.tolist()]


@given(names, st.floats(0, 1), st.floats(0, 1))
def test_of_two_shares_the_smaller_is_within_the_larger(ids: list[str], one: float, other: float) -> None:
    smaller, larger = (held_ids(HeldOutUsers.share_of(ids, share), ids) for share in sorted((one, other)))
    assert smaller <= larger


def test_nobody_may_be_held_out() -> None:
    assert held_ids(HeldOutUsers(-1), ["a", "b", "c"]) == set()
    assert held_ids(HeldOutUsers.share_of([], 0.5), ["a", "b", "c"]) == set()
    assert held_ids(HeldOutUsers.share_of(["a", "b", "c"], 0.3), ["a", "b", "c"]) == set(), "less than one"


def requests(count: int, width: int, held: bool, kind: int) -> RankingData:
    return RankingData(
        features=np.full((count, width, len(RANKING_FEATURES)), kind + 1, np.float32),
        labels=np.ones((count, width), bool),
        mask=np.ones((count, width), bool),
        judges=np.full(count, held),
        calibrates=np.full(count, held and kind > 0),
        kinds=np.full(count, kind),
        users=np.arange(count),
    )


def test_joined_requests_keep_who_is_held_out_and_their_kind_and_are_padded() -> None:
    joined = join_ranking_data([requests(2, 3, held=True, kind=0), requests(1, 5, held=False, kind=1)])
    assert joined.held.tolist() == [True, True, False]
    assert joined.kinds.tolist() == [0, 0, 1]
    assert joined.calibrates.tolist() == [False, False, False]
    assert joined.mask.sum(1).tolist() == [3, 3, 5]
    assert not joined.labels[:2, 3:].any()
    assert not joined.features[:2, 3:].any()
