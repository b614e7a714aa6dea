"""The click model of a shop beside the true probabilities, through the stages of a training: `-m slow -s`."""

import sys

import numpy as np
import pytest

from recsys import metrics
from recsys.config import ClickSettings
from recsys.dataset.click_log import LabelledImpressions
from recsys.evaluation.ctr.simulated import EXAMINATION, simulate_clicks
from recsys.instants import DAY
from recsys.training.ctr.click_data import click_impressions
from recsys.training.stages.click_stage import train_click_model
from tests.training.ctr.click_world import PLACES, START, ShopOfClicks

REQUESTS, LAST_DAY = 150_000, 7
SETTINGS = ClickSettings(history=10)


def page_clicks(
    truth: np.ndarray, shown: LabelledImpressions, attraction: np.ndarray, cosine: np.ndarray
) -> dict[str, float]:
    """True expected clicks of the same four items in several orders, the mean over answers."""
    orders = {"as shown": -shown.slot, "cosine": cosine, "click model": attraction, "truth": truth}
    surface = np.array([PLACES.index(name) for name in shown.surface.tolist()])
    found = {}
    for name, score in orders.items():
        order = np.lexsort((-score, shown.request))
        place = np.arange(len(order)) % EXAMINATION.shape[1]
        clicks = truth[order] * EXAMINATION[surface[order], place]
        found[name] = round(float(clicks.sum() / (shown.request.max() + 1)), 4)
    return found


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
    clicks = page_clicks(world.attraction[~known], last, model.model.predict(rows).attraction, rows.cosines())
    sys.stdout.write(f"expected clicks a page: {clicks}\n")
    assert clicks["click model"] > max(clicks["as shown"], clicks["cosine"])
    assert share >= 0.97
    assert error <= 0.01
    assert p.sum() / clicked.sum() == pytest.approx(1, abs=0.03)
    for found in ratios.values():
        assert found == pytest.approx(1, abs=0.03)
