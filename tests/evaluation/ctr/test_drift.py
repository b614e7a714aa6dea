"""Expected clicks over clicks, by place, of what was served with a probability."""

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.click_log import LabelledImpressions
from recsys.evaluation.ctr.drift import click_drift


def labels(p: list[float], clicked: list[int], surface: list[str]) -> LabelledImpressions:
    return LabelledImpressions.of_frame(
        pd.DataFrame(
            {
                "item_id": "i",
                "at": range(len(p)),
                "clicked": clicked,
                "user_id": [f"u{n % 50}" for n in range(len(p))],
                "surface": surface,
                "sponsored": True,
                "p_click": p,
            }
        )
    )


def test_pcoc_is_that_of_each_place_and_of_all():
    count = 1000
    clicked = ([1] + [0] * 9) * (count // 10)  # a tenth
    found = click_drift(
        labels([0.1] * count + [0.2] * count, clicked * 2, ["home"] * count + ["search"] * count)
    )
    assert [each.place for each in found] == ["", "ad/home", "ad/search"]
    assert [each.pcoc for each in found] == pytest.approx([1.5, 1.0, 2.0])
    assert [each.clicks for each in found] == [200, 100, 100]
    assert all(each.low <= each.pcoc <= each.high for each in found)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        p = rng.uniform(0.02, 0.3, 1500)
        (found, _) = click_drift(
            labels(p.tolist(), (rng.random(1500) < p).astype(int).tolist(), ["home"] * 1500)
        )
        held += found.low <= 1 <= found.high
    assert held >= 51  # 57 expected


def test_what_was_served_without_a_probability_or_never_clicked_is_left_out():
    some = labels([0.1, np.nan, 0.3, 0.4], [1, 1, 0, 0], ["home", "home", "search", "home"])
    found = click_drift(some)
    assert [each.place for each in found] == ["", "ad/home"]
    assert found[0].impressions == 3
    assert not click_drift(some.take(some.surface == "search"))
    assert not click_drift(some.take(np.zeros(4, bool)))
