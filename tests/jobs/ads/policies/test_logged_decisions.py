"""The ad log as a randomised experiment: its rows, what policies are worth on it, gaps that are refused."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.errors import ConfigError, DataError, SchemaMismatchError
from recsys.evaluation.off_policy.estimators import IPS, SNIPS
from recsys.jobs.ads.policies.logged_decisions import LoggedSpan
from recsys.jobs.ads.policies.policy_evaluation import (
    PolicyQuestion,
    PolicyReport,
    ad_log_span,
    evaluate_experiment,
)
from recsys.jobs.ads.served_labels import read_served_labels
from recsys.stores.served.ad_log_index import day_of
from tests.ads.delivery.served_slots import NOW, served_slot
from tests.jobs.ads.served_home import ServedHome

DAY = timedelta(days=1)
SPAN = LoggedSpan(NOW - DAY, NOW + DAY, NOW + 30 * DAY)


@pytest.fixture
def home(tmp_path: Path) -> ServedHome:
    """40 slots of `tea`, every fourth clicked, and 40 of `mug`, every second clicked, drawn at even odds."""
    served = ServedHome(tmp_path / "home")
    for number in range(80):
        item = "tea" if number % 2 else "mug"
        clicked = number % 8 == 1 if item == "tea" else number % 4 == 0
        kinds = ("click", "purchase") if clicked and number % 8 == 0 else ("click",) if clicked else ()
        slot = served_slot(
            f"s{number}",
            item_id=item,
            propensity=0.5,
            unit=f"user:{number // 2}",
            query="warm" if number % 3 else None,
            served_at=NOW + timedelta(minutes=number),
        )
        served.serve(slot, *kinds)
    served.serve(served_slot("ghost", arm="holdout"))
    served.serve(served_slot("unseen"), viewable=False)
    served.serve(served_slot("unmeasured"), "click", viewable=None)
    served.flush()
    return served


def ask(home: ServedHome, **changed: Any) -> PolicyReport:
    given: dict[str, Any] = {
        "experiment": SPAN,
        "arm": "item",
        "outcome": "clicked",
        "propensity": "propensity",
        "unit": "unit",
    }
    return evaluate_experiment(PolicyQuestion(**given | changed), home.settings)


def test_a_row_is_a_slot_that_was_seen_and_its_click(home: ServedHome) -> None:
    report = ask(home)
    log = report.comparison.log
    assert (len(log), log.units, log.arms) == (80, 40, ("mug", "tea"))
    assert log.outcome.sum() == 10 + 20
    values = {policy.name: policy.estimates[SNIPS].value for policy in report.comparison.policies}
    assert values["always tea"] == 0.25
    assert values["always mug"] == 0.5
    assert report.headline.startswith("the ad log: 80 rows of 40 units")


def test_purchases_and_their_money_are_outcomes_too(home: ServedHome) -> None:
    bought = ask(home, outcome="purchased", always=("mug",))
    assert bought.comparison.policies[1].estimates[IPS].value == pytest.approx(10 / 40)
    money = ask(home, outcome="value_micros", always=("mug",))
    assert money.comparison.policies[1].estimates[IPS].value == pytest.approx(5_000_000 * 10 / 40)


def test_a_policy_of_a_context_is_read_by_the_columns_of_the_log(home: ServedHome, tmp_path: Path) -> None:
    policy = tmp_path / "by_query.csv"
    policy.write_text("query,item\nwarm,tea\n,mug\n")
    found = ask(home, policy=policy, features=("query", "p_click"))
    assert found.comparison.policies[1].name == "by_query"
    assert np.isfinite(found.comparison.policies[1].estimates[IPS].value)


def test_a_column_that_the_log_lacks_is_named_with_those_it_has(home: ServedHome) -> None:
    with pytest.raises(SchemaMismatchError, match=r"no column 'campain'\. Did you mean 'campaign'"):
        ask(home, arm="campain")


def test_an_arm_of_several_items_is_refused_as_its_probability_is_not_logged(home: ServedHome) -> None:
    with pytest.raises(DataError, match=r"had the items 'mug' and 'tea', .* Use --arm item"):
        ask(home, arm="surface")


def test_an_estimate_across_a_gap_of_the_log_is_refused_and_one_beside_it_is_not(home: ServedHome) -> None:
    ServedHome(home.settings.home).serve(served_slot("lost", served_at=NOW + 10 * DAY))
    lost = max(path for path in home.settings.paths.ad_log.iterdir() if day_of(path.name) is not None)
    lost.unlink()
    with pytest.raises(DataError, match=r"has the gap .* is gone.* Use rows before it or after it"):
        ask(home, experiment=replace(SPAN, until=NOW + 11 * DAY))
    assert len(ask(home).comparison.log) == 80


def test_a_log_without_a_row_says_what_lacks(home: ServedHome) -> None:
    young = replace(SPAN, until=NOW + timedelta(seconds=1), now=NOW + timedelta(minutes=30))
    with pytest.raises(DataError, match="of 3 slots 1 were seen and 0 are old enough"):
        ask(home, experiment=young)


def test_a_home_that_served_no_ads_has_no_labels_and_makes_no_secret(tmp_path: Path) -> None:
    home = ServedHome(tmp_path / "other").settings.model_copy(update={"home": tmp_path / "empty"})
    assert len(read_served_labels(home, NOW - DAY, NOW, NOW).labels) == 0
    assert not (tmp_path / "empty").exists()


def test_the_time_asked_for_is_the_last_thirty_days() -> None:
    span = ad_log_span(None, None)
    assert span.until - span.since == timedelta(days=30)
    assert ad_log_span("2026-01-01", "2026-01-02").until - DAY == ad_log_span("2026-01-01", None).since


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [("soon", None, "--from or --to is no instant"), ("2026-01-02", "2026-01-01", "is not after --from")],
)
def test_a_time_that_is_none_is_refused(since: str | None, until: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ad_log_span(since, until)
