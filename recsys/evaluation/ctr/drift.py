"""Whether the probabilities that ads were served with still come true."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray
from recsys.dataset.click_log import LabelledImpressions
from recsys.evaluation.ctr.click_metrics import pcoc
from recsys.evaluation.ctr.resamples import UserResamples

EVERYWHERE = ""
_SAMPLES = 300


@dataclass(frozen=True)
class PlaceDrift:
    """Expected clicks over clicks at one place.

    Attributes:
        place: see `recsys.dataset.click_log.place_name`; EVERYWHERE = all together.
        predicted: the clicks that were expected. pcoc: predicted / clicks; 1 is right.
        low, high: its 95% interval over resampled users.
    """

    place: str
    impressions: int
    clicks: int
    predicted: float
    pcoc: float
    low: float
    high: float


def click_drift(labels: LabelledImpressions, seed: int = 0) -> tuple[PlaceDrift, ...]:
    """Of all impressions with a probability, and of each place with a click; none without a click."""
    rows = ~np.isnan(labels.p_click)
    places = np.asarray(labels.places, object)
    parts = [(EVERYWHERE, rows), *((name, rows & (places == name)) for name in sorted(set(places[rows])))]
    return tuple(_drift_of(name, labels, part, seed) for name, part in parts if labels.clicked[part].any())


def _drift_of(place: str, labels: LabelledImpressions, rows: BoolArray, seed: int) -> PlaceDrift:
    p, clicked = np.clip(labels.p_click[rows], 0, 1), labels.clicked[rows]
    draws = UserResamples.of(labels.unit[rows], _SAMPLES, seed).estimate("pcoc", clicked, p).draws
    known = draws[np.isfinite(draws)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return PlaceDrift(
        place, len(p), int(clicked.sum()), float(p.sum()), pcoc(clicked, p), float(low), float(high)
    )
