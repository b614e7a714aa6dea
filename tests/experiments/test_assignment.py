"""Assignment: stable, uniform, and independent across salts."""

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.errors import RequestError
from recsys.experiments.assignment import MILLION, assignment_unit, draw_unit, is_below_share
from recsys.experiments.experiment import Arm, Experiment

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=28)
EXPERIMENT = Experiment("ads-holdout", "2026-spring", START, END)
UNITS = [assignment_unit(f"u{place}", None) for place in range(20_000)]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15)


def test_the_draw_is_the_keyed_hash_that_is_written_down() -> None:
    """Another machine, version or language has to put the same people in the same arm."""
    digest = hashlib.blake2b(b"user:u7", digest_size=8, key=b"2026-spring").digest()
    assert draw_unit("2026-spring", "user:u7") == int.from_bytes(digest, "big") == 10489182001996111400


@given(texts, texts, st.integers(0, MILLION), st.integers(0, MILLION))
def test_who_is_held_out_stays_so_when_the_share_grows(salt: str, unit: str, one: int, other: int) -> None:
    small, large = sorted([one, other])
    assert is_below_share(salt, unit, large) >= is_below_share(salt, unit, small)
    assert is_below_share(salt, unit, small) == is_below_share(salt, unit, small)


def test_draws_are_uniform() -> None:
    buckets = np.array([draw_unit("2026-spring", unit) >> 58 for unit in UNITS])  # 64 of them
    assert stats.chisquare(np.bincount(buckets, minlength=64)).pvalue > 0.01


@pytest.mark.parametrize("share_ppm", [1_000, 50_000, 500_000])
def test_the_share_is_held_out(share_ppm: int) -> None:
    held = sum(is_below_share("2026-spring", unit, share_ppm) for unit in UNITS)
    assert stats.binomtest(held, len(UNITS), share_ppm / MILLION).pvalue > 0.01


def test_arms_of_two_salts_are_independent() -> None:
    table = np.zeros((2, 2), np.int64)
    for unit in UNITS:
        table[int(is_below_share("one", unit, 300_000)), int(is_below_share("two", unit, 300_000))] += 1
    assert stats.chi2_contingency(table).pvalue > 0.01


def test_draws_of_neighbouring_salts_do_not_go_together() -> None:
    draws = np.array([[draw_unit(salt, unit) for salt in ("s1", "s2")] for unit in UNITS], np.float64)
    assert stats.pearsonr(draws[:, 0], draws[:, 1]).pvalue > 0.01


def test_the_unit_is_the_user_and_else_the_session() -> None:
    assert assignment_unit("7", "s1") == "user:7"
    assert assignment_unit(None, "7") == "session:7"
    with pytest.raises(RequestError, match="neither user_id nor session_id"):
        assignment_unit(None, None)


def test_nobody_is_held_out_before_the_start_or_from_the_end_on() -> None:
    held = next(unit for unit in UNITS if is_below_share(EXPERIMENT.salt, unit, EXPERIMENT.share_ppm))
    other = next(unit for unit in UNITS if not is_below_share(EXPERIMENT.salt, unit, EXPERIMENT.share_ppm))
    moment = timedelta(microseconds=1)
    assert [EXPERIMENT.arm(held, at) for at in (START - moment, START, END - moment, END)] == [
        None,
        Arm.HOLDOUT,
        Arm.HOLDOUT,
        None,
    ]
    assert EXPERIMENT.arm(other, START) is Arm.TREATMENT
    assert Experiment("open", "salt", START).arm(other, datetime(2099, 1, 1, tzinfo=UTC)) is Arm.TREATMENT


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "Ads Holdout"}, "name 'Ads Holdout' is not of"),
        ({"salt": ""}, "salt ''"),
        ({"salt": "s" * 65}, "is not of 1 to 64 letters"),
        ({"salt": "盐"}, "salt '盐'"),
        ({"share_ppm": 0}, "share_ppm 0 is not between 1 and 999999"),
        ({"share_ppm": MILLION}, "share_ppm 1000000"),
        ({"starts_at": START.replace(tzinfo=None)}, "has no time zone"),
        ({"ends_at": START}, "not after its start"),
    ],
)
def test_an_experiment_out_of_range_is_refused(changed: dict[str, object], message: str) -> None:
    values = {"name": "ads-holdout", "salt": "s", "starts_at": START, **changed}
    with pytest.raises(RequestError, match=message):
        Experiment(**values)  # type: ignore[arg-type]
