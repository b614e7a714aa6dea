"""From labelled impressions to a click model in a bundle: what it reads, and when there is none."""

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recsys import columns
from recsys.config import ClickSettings, Settings
from recsys.dataset.click_log import LabelledImpressions, join_impressions
from recsys.evaluation.ctr.simulated import simulate_clicks
from recsys.instants import DAY
from recsys.models.manifest import NO_CLOCK
from recsys.training.ctr.click_data import click_impressions, learn_codes, shape_for
from recsys.training.job import TrainingJob
from recsys.training.stages.click_stage import (
    NO_IMPRESSIONS,
    calibration_start,
    click_obstacle,
    latest_impressions,
    train_click_stage,
)
from tests.tiny_bundle import tiny_bundle
from tests.training.ctr.click_world import ShopOfClicks

SHOP = ShopOfClicks.of(simulate_clicks(600, users=30, items=20, rate=-0.5))
SETTINGS = Settings(ctr=ClickSettings(min_clicks=50, epochs=1, history=10))


def job(labels: LabelledImpressions | None, tmp_path: Path, settings: Settings = SETTINGS) -> TrainingJob:
    shop = SimpleNamespace(info=SimpleNamespace(clock="time"))
    return TrainingJob(shop, None, SHOP, settings, tmp_path, clicks=labels)


def test_rows_are_those_of_the_world_in_the_order_of_the_labels():
    bundle, labels, world = SHOP.bundle(), SHOP.labels(), SHOP.world.impressions
    rows = click_impressions(labels, SHOP, bundle, learn_codes(labels, bundle), 10)
    np.testing.assert_array_equal(rows.item, world.item)
    np.testing.assert_array_equal(rows.clicked, world.clicked)
    np.testing.assert_array_equal(rows.users, np.unique(rows.users)[rows.users])
    np.testing.assert_allclose(rows.user_vectors, world.user_vectors)
    np.testing.assert_array_equal(rows.history_kinds > 0, np.sort(world.history_kinds > 0, 1))
    price = rows.numbers[:, columns.CLICK_NUMBERS.index(columns.PRICE_MICROS)]
    np.testing.assert_allclose(price, world.numbers[:, 0] * 1e6, rtol=1e-5)
    age = rows.numbers[:, columns.CLICK_NUMBERS.index(columns.ITEM_AGE)]
    np.testing.assert_allclose(age, world.numbers[:, 1] * 100 * 86_400, rtol=1e-3, atol=1)


def test_sponsored_slots_are_places_of_their_own():
    bundle = SHOP.bundle()
    assert learn_codes(SHOP.labels(), bundle).places == ("ad/home", "ad/search")
    assert learn_codes(SHOP.labels(sponsored=False), bundle).places == ("home", "search")


def test_a_place_or_a_slot_with_few_impressions_has_no_code_of_its_own():
    bundle, labels = SHOP.bundle(), SHOP.labels()
    rare = labels.surface == "search"
    some = labels.take(~rare | (np.cumsum(rare) <= 20))
    codes = learn_codes(some, bundle)
    assert codes.places == ("ad/home",)
    assert shape_for(some, codes, bundle, 10, 0).slots == 4
    assert shape_for(some.take(some.slot < 3), codes, bundle, 10, 0).slots == 2


def test_queries_are_encoded_once_each():
    labels, bundle, asked = SHOP.labels(), SHOP.bundle(), []
    labels = replace(labels, query=np.where(labels.request % 2 == 0, "tea", "").astype(object))

    def encode(query: str) -> np.ndarray:
        asked.append(query)
        return np.full(3, float(len(query)), np.float32)

    rows = click_impressions(labels, SHOP, bundle, learn_codes(labels, bundle), 10, encode)
    assert asked == ["", "tea"]
    assert rows.query_vectors[:2].tolist() == [[3, 3, 3], [0, 0, 0]]


def test_the_stage_gives_a_bundle_a_model_its_service_and_its_curves(tmp_path: Path):
    bundle = train_click_stage(job(SHOP.labels(), tmp_path), SHOP.bundle())
    assert bundle.click_model is not None
    assert bundle.manifest.services[columns.ADS_SERVICE] == "hash of ads_v1"
    assert bundle.manifest.no_click_model is None
    facts, labels = bundle.click_model.facts, SHOP.labels()
    assert (facts.impressions, facts.clicks) == (len(labels), labels.clicked.sum())
    assert (labels.at >= facts.calibrated_from).mean() == pytest.approx(0.25, abs=0.01)
    assert list((tmp_path / "click-through").glob("*.json"))
    assert bundle.click_model.examination("ad/home", 4)[3] < 0.7  # .35 in the world


def test_without_labels_or_with_too_few_there_is_no_model_and_the_bundle_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    nothing = train_click_stage(job(None, tmp_path), SHOP.bundle())
    empty = train_click_stage(job(join_impressions([]), tmp_path), SHOP.bundle())
    assert nothing.manifest.no_click_model == empty.manifest.no_click_model == NO_IMPRESSIONS
    assert not caplog.records  # a shop without ads is told nothing
    demanding = Settings(ctr=ClickSettings(min_clicks=5000))
    with caplog.at_level(logging.WARNING, "recsys"):
        few = train_click_stage(job(SHOP.labels(), tmp_path, demanding), SHOP.bundle())
    clicks = SHOP.labels().clicked.sum()
    assert few.manifest.no_click_model == f"{clicks} clicks were labelled, and it takes 5000"
    assert "lower ctr.min_clicks" in caplog.text
    assert few.click_model is None


def test_a_shop_without_a_clock_has_none(tmp_path: Path):
    without = replace(job(SHOP.labels(), tmp_path), shop=SimpleNamespace(info=SimpleNamespace(clock="order")))
    assert train_click_stage(without, SHOP.bundle()).manifest.no_click_model == NO_CLOCK


def test_labels_that_say_nothing_are_an_obstacle():
    labels, settings = SHOP.labels(), SETTINGS.ctr
    late = labels.at >= calibration_start(labels)
    assert "are among the last 25%" in str(
        click_obstacle(replace(labels, clicked=labels.clicked & ~late), settings)
    )
    assert "everything" in str(click_obstacle(replace(labels, clicked=np.ones(len(labels), bool)), settings))
    assert click_obstacle(labels, settings) is None


def test_the_latest_impressions_are_taken_with_whole_answers():
    labels = SHOP.labels()
    kept = latest_impressions(labels, 10)
    assert len(kept) == 12  # three answers of four
    assert kept.at.tolist() == labels.at[-12:].tolist()
    assert latest_impressions(labels, 10**6) is labels


def test_no_answer_is_both_learned_from_and_calibrated_on():
    labels = SHOP.labels()
    start = calibration_start(labels)
    early, late = labels.request[labels.at < start], labels.request[labels.at >= start]
    assert not set(early) & set(late)
    assert labels.at.max() < SHOP.at.max() + DAY


def test_a_bundle_that_has_lost_its_model_does_not_name_its_service(tmp_path: Path):
    bundle = tiny_bundle(services={"retrieval_v1": "a", columns.ADS_SERVICE: "b"})
    assert train_click_stage(job(None, tmp_path), bundle).manifest.services == {"retrieval_v1": "a"}
