"""Means and deviations over seeds."""

from dataclasses import replace

import pytest

from recsys.config import EvaluationSettings
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import leave_one_out
from recsys.evaluation.baselines import Popularity
from recsys.evaluation.compare import Evaluation, evaluate_scorers
from recsys.evaluation.report import report_sections
from recsys.evaluation.seeds import measure_over_seeds, seed_rows


@pytest.fixture
def evaluations(shop: Interactions) -> list[Evaluation]:
    """Three of the same cases, whose every number is .1, .2 and .6."""
    split = leave_one_out(shop)
    settings = EvaluationSettings(cutoffs=(2, 4), bootstrap_samples=10)
    found = evaluate_scorers([Popularity(split.train)], split, shop, settings, seen="keep")
    return [
        replace(found, rows=tuple(replace(row, value=value) for row in found.rows))
        for value in (0.1, 0.2, 0.6)
    ]


def test_mean_and_deviation_are_those_of_a_sample(evaluations: list[Evaluation]) -> None:
    found = {(part.slice, part.metric): part for part in measure_over_seeds(evaluations)}
    everything = found["all", "ndcg@2"]
    assert everything.values == (0.1, 0.2, 0.6)
    assert everything.mean == pytest.approx(0.3)
    # ((.1 - .3)^2 + (.2 - .3)^2 + (.6 - .3)^2) / 2 = .07
    assert everything.deviation == pytest.approx(0.07**0.5)
    assert {name for name, _ in found} == {"all", "repeat", "new to the user"}


def test_a_row_is_a_slice(evaluations: list[Evaluation]) -> None:
    rows = seed_rows(measure_over_seeds(evaluations))
    assert [row["slice"] for row in rows] == ["all", "repeat", "new to the user"]
    assert rows[0]["HR@2"] == "0.3000 +- 0.2646"


def test_the_report_shows_them(evaluations: list[Evaluation]) -> None:
    headings = [
        heading for heading, *_ in report_sections(evaluations[0], (), measure_over_seeds(evaluations))
    ]
    assert "Over seeds" in headings
    assert "Over seeds" not in [heading for heading, *_ in report_sections(evaluations[0])]
