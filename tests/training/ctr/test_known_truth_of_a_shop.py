"""The click model of a shop beside the true probabilities, through the stages of a training: `-m slow -s`."""

import sys

import numpy as np
import pytest

from recsys import metrics
from recsys.config import ClickSettings
from recsys.evaluation.ctr.simulated import simulate_clicks
from recsys.instants import DAY
from recsys.training.ctr.click_data import click_impressions
from recsys.training.stages.click_stage import train_click_model
from tests.training.ctr.click_world import START, ShopOfClicks

REQUESTS, LAST_DAY = 150_000, 7
SETTINGS = ClickSettings(history=10)


@pytest.mark.slow
def test_probabilities_of_the_last_day_come_true_at_each_slot_and_are_nearly_as_sharp_as_the_truth():
    world = simulate_clicks(REQUESTS, seed=0)
    shop = ShopOfClicks.of(world)
    bundle, labels = shop.bundle(), shop.labels()
    known = labels.at < START + LAST_DAY * DAY
    model = train_click_model(labels.take(known), shop, bundle, SETTINGS).model
    last = labels.take(~known)
    rows = click_impressions(last, shop, bundle, model.codes, SETTINGS.history)
    p, truth = model.model.predict(rows).p_click, world.p_click[~known]
    clicked = last.clicked
    share = metrics.auc(clicked, p) / metrics.auc(clicked, truth)
    error = metrics.expected_calibration_error(clicked, p)
    sys.stdout.write(
        f"\nAUC {share:.4f} of the truth's, ECE {error:.4f}, PCOC {p.sum() / clicked.sum():.4f}\n"
    )
    ratios = {}
    for place in np.unique(last.places):
        for slot in range(1, 5):
            at = (last.places == place) & (last.slot == slot)
            ratios[place, slot] = p[at].sum() / truth[at].sum()
            apart = metrics.expected_calibration_error(clicked[at], p[at])
            sys.stdout.write(
                f"{place} slot {slot}: {at.sum()} impressions, predicted / true {ratios[place, slot]:.4f}, "
                f"predicted / clicked {p[at].sum() / clicked[at].sum():.4f}, ECE {apart:.4f}\n"
            )
    assert share >= 0.97
    assert error <= 0.01
    assert p.sum() / clicked.sum() == pytest.approx(1, abs=0.03)
    for found in ratios.values():
        assert found == pytest.approx(1, abs=0.03)
