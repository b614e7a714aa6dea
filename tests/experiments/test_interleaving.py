"""Team-draft interleaving: what is shown, who is credited, and how often it is wrong or right."""

import doctest
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.arrays import IntArray
from recsys.errors import DataError, RequestError
from recsys.experiments import interleaving, preference
from recsys.experiments.interleaving import FIRST, Draft, coin_tosses, credit_clicks, team_draft
from recsys.experiments.preference import Preference, measure_preference, queries_needed

PLACES = 6
EXAMINATION = np.arange(1, PLACES + 1) ** -0.7
lists = st.lists(st.integers(1, 12), unique=True, max_size=8)


@pytest.mark.parametrize("module", [interleaving, preference])
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert result.failed == 0


@given(lists, lists, st.integers(1, 10), st.text(max_size=5), st.integers(0, 9))
def test_a_draft_shows_each_item_once_and_as_many_as_there_are(
    first: list[int], second: list[int], k: int, query_id: str, seed: int
) -> None:
    found = team_draft(np.array(first, int), np.array(second, int), k, query_id, seed)
    shown = found.items.tolist()
    assert len(set(shown)) == len(shown) == min(k, len(set(first) | set(second)))
    # Each pick was its team's best that was left.
    for place, (item, team) in enumerate(zip(shown, found.teams.tolist(), strict=True)):
        ranking = first if team == FIRST else second
        assert item == next(each for each in ranking if each not in shown[:place])
    assert (
        found.items.tolist()
        == team_draft(np.array(first), np.array(second), k, query_id, seed).items.tolist()
    )


@given(st.permutations(range(1, 11)), st.permutations(range(1, 11)), st.integers(0, 99))
def test_teams_never_differ_by_more_than_one_pick(first: list[int], second: list[int], seed: int) -> None:
    teams = team_draft(np.array(first), np.array(second), 10, "q", seed).teams
    lead = np.cumsum(np.where(teams == FIRST, 1, -1))
    assert np.abs(lead).max() <= 1


def test_the_coin_is_fair_over_queries_and_fixed_for_one() -> None:
    tosses = [coin_tosses(f"q{n}", 7, 1)[0] for n in range(4000)]
    assert np.mean(tosses) == pytest.approx(0.5, abs=0.03)  # 4 standard errors
    assert coin_tosses("q1", 7, 20) == coin_tosses("q1", 7, 20)


def test_a_longer_list_begins_as_the_shorter_one() -> None:
    first, second = np.arange(1, 20), np.arange(19, 0, -1)
    short, long = (team_draft(first, second, k, "q", 1) for k in (5, 15))
    assert long.items[:5].tolist() == short.items.tolist()


def test_a_click_beyond_the_list_is_refused() -> None:
    draft = Draft(np.array([7]), np.array([0]))
    with pytest.raises(RequestError, match="position 2 is not one of the 1"):
        credit_clicks(draft, [2])
    assert credit_clicks(draft, []) == 0


def experiment(better: float, users: int, queries: int, seed: int) -> Preference:
    """Two rankings of 12 items for each query, clicks by attraction and position.

    Args:
        better: by how much less noise the first ranking knows the attractions.
        queries: of each user, who asks the same thing again and again: people differ, their queries do not.
    """
    rng = np.random.default_rng(seed)
    asked, wins = [], []
    for user in range(users):
        attraction = rng.beta(1, 4, 12)
        rankings = [np.argsort(-(attraction + rng.normal(0, noise, 12))) + 1 for noise in (0.4 - better, 0.4)]
        for query in range(queries):
            draft = team_draft(rankings[0], rankings[1], PLACES, f"{seed}-{user}-{query}", 3)
            clicked = rng.random(len(draft)) < EXAMINATION * attraction[draft.items - 1]
            asked.append(f"u{user}")
            wins.append(credit_clicks(draft, (np.flatnonzero(clicked) + 1).tolist()))
    return measure_preference(asked, np.array(wins), 400, seed)


@pytest.mark.slow
def test_two_equally_good_rankings_are_told_apart_as_seldom_as_stated() -> None:
    runs = [experiment(0.0, 60, 1, seed) for seed in range(300)]
    by_users = np.mean([run.verdict != "not told apart" for run in runs])
    by_sign = np.mean([run.sign_p_value < 0.05 for run in runs])
    assert by_users <= 0.085  # 5% and 2.8 standard errors (sqrt(.05 .95 / 300) = .0126)
    assert by_sign <= 0.085
    assert abs(np.mean([run.preference for run in runs])) < 0.02


@pytest.mark.slow
def test_people_who_ask_often_raise_false_alarms_of_the_sign_test_but_not_of_users() -> None:
    runs = [experiment(0.0, 40, 20, seed) for seed in range(100)]
    by_users = np.mean([run.verdict != "not told apart" for run in runs])
    by_sign = np.mean([run.sign_p_value < 0.05 for run in runs])
    assert by_users <= 0.115
    assert by_sign > by_users + 0.05


def test_a_better_ranking_is_found_by_few_hundred_queries() -> None:
    found = [experiment(0.3, 400, 1, seed) for seed in range(20)]
    assert sum(run.verdict == "first" for run in found) >= 18
    assert not [run for run in found if run.verdict == "second"]


def test_as_many_queries_as_are_said_to_be_needed_give_the_power() -> None:
    share, ties = 0.6, 0.4
    count = queries_needed(share, ties)
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(400):
        wins = rng.choice([1, -1, 0], count, p=[share * (1 - ties), (1 - share) * (1 - ties), ties])
        seen += measure_preference([str(n) for n in range(count)], wins, 200).low > 0
    assert 0.74 <= seen / 400 <= 0.87  # .8, and 3 standard errors


def test_too_few_users_have_no_verdict() -> None:
    wins: IntArray = np.ones(200, np.int64)
    assert measure_preference(["u"] * 200, wins, 100).verdict == "too few users"


def test_nothing_asked_and_a_share_of_one_half_are_refused() -> None:
    with pytest.raises(DataError, match="0 outcomes"):
        measure_preference([], np.zeros(0, np.int64), 10)
    with pytest.raises(DataError, match=r"share of wins of 0\.5"):
        queries_needed(0.5)
