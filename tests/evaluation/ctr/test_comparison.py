"""Models of clicks beside each other: tables, what a difference says, slices, purchases, the report."""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import ArtifactError
from recsys.evaluation.ctr.comparison import (
    ClickComparison,
    click_slices,
    compare_models,
    purchases_by_age,
    said,
)
from recsys.evaluation.ctr.measure import ClickLog
from recsys.evaluation.ctr.report import write_click_report
from recsys.evaluation.intervals import PairedDifference
from recsys.instants import DAY

COUNT = 600


def compared() -> ClickComparison:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.6, COUNT)
    clicked = rng.random(COUNT) < truth
    slices = {"few": np.arange(COUNT) < 99, "many": np.arange(COUNT) < 100}
    log = ClickLog(clicked, np.arange(COUNT) % 60, slices, samples=100)
    return compare_models({"one rate": np.full(COUNT, clicked.mean()), "ours": truth}, log, "ours")


def test_the_better_model_is_said_to_be_better_in_each_measure():
    found = compared()
    assert [row["name"] for row in found.rows] == ["one rate", "ours"]
    (row,) = found.difference_rows
    assert row["model"] == "ours less one rate"
    assert all(str(row[name]).endswith(": better") for name in ("AUC", "log loss"))


def test_less_of_a_loss_is_better():
    less = PairedDifference(0.3, 0.4, -0.1, -0.12, -0.08, 100)
    assert (said(less, "log_loss"), said(less, "auc")) == ("better", "worse")
    even = PairedDifference(0.3, 0.3, 0.0, -0.1, 0.1, 100)
    assert said(even, "log_loss") == "not told apart"


def test_slices_with_too_few_impressions_are_not_measured():
    assert set(compared().slices) == {"many"}


def test_slices_are_by_place_slot_both_new_items_and_age():
    places = ["ad/home", "ad/home", "search", ""]
    at = np.array([0, 2, 4, 20]) * DAY
    found = click_slices(places, np.array([1, 2, 1, 0]), np.array([True, False, False, False]), at, 0)
    rows = {name: np.flatnonzero(mask).tolist() for name, mask in found.items()}
    assert rows["place ad/home"] == [0, 1]
    assert rows["place (not said)"] == [3]
    assert rows["slot 1"] == [0, 2]
    assert rows["search, slot 1"] == [2]
    assert rows["items new to the model"] == [0]
    assert rows["0 to 1 days after training"] == [0]
    assert rows["14+ days after training"] == [3]


def test_purchases_of_young_clicks_may_yet_come():
    clicked = np.array([True, True, True, False])
    bought = np.array([True, False, False, False])
    found = purchases_by_age(clicked, bought, np.full(4, 0.5), np.array([10.0, 10.0, 0.5, 0.5]))
    assert [(each.days, each.clicks, each.purchases, each.expected) for each in found] == [
        ("0 to 1", 1, 0, 0.5),
        ("7 to 14", 2, 1, 1.0),
    ]
    assert np.isnan(found[0].pcoc)
    assert found[1].pcoc == 1
    assert purchases_by_age(clicked, bought, np.full(4, np.nan), np.zeros(4)) == ()


def test_the_report_has_the_tables_the_picture_and_every_digit(tmp_path: Path):
    written = write_click_report(compared(), tmp_path / "clicks", title="Clicks", summary="A log.")
    assert {path.name for path in written} == {"clicks.md", "clicks.html", "clicks.json", "reliability.png"}
    text = (tmp_path / "clicks" / "clicks.md").read_text("utf-8")
    assert "reliability.png" in text
    assert "**ours**" in text
    document = json.loads((tmp_path / "clicks" / "clicks.json").read_text("utf-8"))
    assert {each["name"] for each in document["models"]} == {"one rate", "ours"}
    assert document["models"][1]["metrics"]["pcoc"]["value"] == pytest.approx(1, abs=0.2)
    assert len(document["reliability"]) == 15


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "clicks").write_text("a file", "utf-8")
    with pytest.raises(ArtifactError, match="the report under"):
        write_click_report(compared(), tmp_path / "clicks", title="Clicks", summary="")
