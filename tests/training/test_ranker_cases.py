"""What the ranker learns from, is judged on and is calibrated on: three kinds of cases, of users apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.instants import DAY
from recsys.training.ranker import train_ranker
from recsys.training.requests import HeldOutUsers, ranker_cases
from tests.training.test_held_out_users import held_ids, names
from tests.training.test_pipeline import SETTINGS as SHOP_SETTINGS
from tests.training.test_pipeline import USERS, two_tastes
from tests.training.test_train_ranker import SETTINGS, best_by_retrieval, data_of, world


@given(names, st.floats(0, 1), st.floats(0, 1))
def test_two_shares_one_above_the_other_have_nobody_in_common(
    ids: list[str], one: float, other: float
) -> None:
    first = HeldOutUsers.share_of(ids, one)
    second = HeldOutUsers.share_of(ids, other, first.last)
    assert not held_ids(first, ids) & held_ids(second, ids)
    rest = len(ids) - int(len(ids) * one)
    assert len(held_ids(second, ids)) == min(int(len(ids) * other), rest)


@pytest.mark.parametrize("protocol", ["time-split", "leave-one-out"])
def test_the_ranker_is_judged_on_users_and_weeks_that_it_did_not_learn_from(protocol: str) -> None:
    shop = two_tastes()
    split, log = shop.split(protocol, SHOP_SETTINGS.evaluation), shop.interactions
    held = HeldOutUsers.share_of(log.users.ids[1:], 0.25)
    cases = ranker_cases(log, split, held)
    assert not held.of(log.users.ids, cases.learning.user_index).any()
    for apart in (cases.judging, cases.calibrating):
        assert held.of(log.users.ids, apart.user_index).all()
        assert len(np.unique(apart.user_index)) == USERS / 4
    if protocol == "leave-one-out":
        assert cases.judging is cases.calibrating
        return
    start, end = split.train_end, split.test_start
    assert start is not None
    assert end is not None
    middle = (start + end) // 2  # of 21 days
    assert set(cases.learning.at.tolist()) == {middle, middle + 7 * DAY}
    assert set(cases.judging.at.tolist()) == {start}
    assert set(cases.calibrating.at.tolist()) == {start}
    for some, until in ((cases.learning, end), (cases.judging, middle), (cases.calibrating, end)):
        for row in range(len(some)):
            of_user = log.take(log.user_index == some.user_index[row])
            inside = (of_user.at >= some.at[row]) & (of_user.at < until)
            assert set(some.targets_of(row).tolist()) == set(of_user.item_index[inside].tolist())


def test_requests_that_calibrate_choose_no_order() -> None:
    """What judges has an order that cannot be beaten; what calibrates has one that the ranker beats."""
    features, labels, mask = world(effect=3.0, requests=1200)
    judges, calibrates = np.arange(1200) % 4 == 0, np.arange(1200) % 4 == 1
    labels[judges] = best_by_retrieval((features, labels, mask))[1][judges]
    data = data_of((features, labels, mask), judges=judges, calibrates=calibrates)
    assert train_ranker(data, SETTINGS).better == frozenset()


def test_who_picks_the_epoch_does_not_decide_whether_the_ranker_orders() -> None:
    """Of two held-out users one has choices that a ranker learns, the other the first stage's order."""
    features, labels, mask = world(effect=3.0, requests=1200)
    second = np.arange(1200) % 8 == 4
    labels[second] = best_by_retrieval((features, labels, mask))[1][second]
    trained = train_ranker(data_of((features, labels, mask)), SETTINGS)
    assert trained.curves.best > trained.curves.epochs[0].metrics["ndcg@10 of the first stage"]
    assert trained.better == frozenset()
