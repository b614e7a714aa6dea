"""The model beside the true probabilities, at a size where chance is small: run with `-m slow -s`."""

import sys

import numpy as np
import pytest

from recsys import metrics
from recsys.evaluation.ctr.simulated import EXAMINATION, simulate_clicks
from recsys.training.ctr.loop import train_ctr
from recsys.training.ctr.settings import CtrSettings

REQUESTS, SEED = 150_000, 0
SETTINGS = CtrSettings(epochs=5, batch_size=512, learning_rate=3e-3)


@pytest.mark.slow
def test_probabilities_are_calibrated_at_each_slot_and_nearly_as_sharp_as_the_truth():
    world = simulate_clicks(REQUESTS, seed=SEED)
    train, held, last = (np.flatnonzero(rows) for rows in (world.day < 6, world.day == 6, world.day == 7))
    shown = world.impressions
    model = train_ctr(shown.take(train), shown.take(held), world.shape, SETTINGS).model
    test, truth = shown.take(last), world.p_click[last]
    p = model.predict(test).p_click
    share = metrics.auc(test.clicked, p) / metrics.auc(test.clicked, truth)
    error = metrics.expected_calibration_error(test.clicked, p)
    pcoc = p.sum() / test.clicked.sum()
    sys.stdout.write(f"\nAUC {share:.4f} of the truth's, ECE {error:.4f}, PCOC {pcoc:.4f}\n")
    by_slot = {}
    for surface in range(len(EXAMINATION)):
        for slot in range(1, EXAMINATION.shape[1] + 1):
            rows = (test.surfaces == surface) & (test.slot == slot)
            level = p[rows].sum() / truth[rows].sum()
            apart = metrics.expected_calibration_error(truth[rows], p[rows])
            sys.stdout.write(
                f"surface {surface} slot {slot}: predicted / true {level:.4f}, ECE {apart:.4f}\n"
            )
            by_slot[surface, slot] = level, apart
    assert share >= 0.97
    assert error <= 0.01
    assert pcoc == pytest.approx(1, abs=0.03)
    for level, apart in by_slot.values():
        assert level == pytest.approx(1, abs=0.03)
        assert apart <= 0.01
