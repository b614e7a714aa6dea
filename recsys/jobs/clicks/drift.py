"""Drift as a use case: the ad log's probabilities of the last days beside the clicks that came."""

import logging
from dataclasses import asdict, dataclass

from recsys.config import Settings
from recsys.dataset.click_log import join_impressions
from recsys.documents import JsonObject
from recsys.evaluation.ctr.drift import EVERYWHERE, PlaceDrift, click_drift
from recsys.evaluation.tables import TableRow
from recsys.health.facts import ClickDriftFacts, PlacePcoc
from recsys.instants import DAY, from_micros, now_micros
from recsys.jobs.clicks.slot_labels import read_slot_labels, slot_label_frame
from recsys.stores.served.click_drift_file import write_click_drift

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClickDriftResult:
    """Drift of some days up to an instant.

    Attributes:
        measured_at: microseconds.
    """

    days: float
    measured_at: int
    places: tuple[PlaceDrift, ...]

    @property
    def rows(self) -> list[TableRow]:
        """A line a place."""
        return [
            {
                "place": each.place or "all",
                "impressions": each.impressions,
                "clicks": each.clicks,
                "predicted": f"{each.predicted:.1f}",
                "PCOC": f"{each.pcoc:.3f} [{each.low:.3f}, {each.high:.3f}]",
            }
            for each in self.places
        ]

    def to_json(self) -> JsonObject:
        """Every digit."""
        return {
            "days": self.days,
            "measured_at": from_micros(self.measured_at),
            "places": [asdict(each) | {"place": each.place or "all"} for each in self.places],
        }


def measure_click_drift(
    settings: Settings, days: float | None = None, now: int | None = None
) -> ClickDriftResult:
    """Expected clicks over clicks of the slots of the last days, kept for services to show.

    Args:
        days: to look back; by default `health.click_drift_days`. now: microseconds.

    Raises:
        DataError: the ad log or the lake cannot be read. StoreUnavailableError: the disk refuses.
    """
    days = settings.health.click_drift_days if days is None else days
    now = now_micros() if now is None else now
    labels = read_slot_labels(settings, now - int(days * DAY), now)
    places = click_drift(join_impressions([] if labels is None else [slot_label_frame(labels)]))
    facts = ClickDriftFacts(
        now,
        tuple(
            PlacePcoc(each.place, each.clicks, each.pcoc, each.low, each.high)
            for each in places
            if each.place != EVERYWHERE
        ),
    )
    write_click_drift(settings.paths.click_drift, facts)
    return ClickDriftResult(days, now, places)


def remeasure_click_drift(settings: Settings) -> None:
    """Measures again where ads were served; a failure is logged, for it changes no answer."""
    if not settings.paths.ad_log.exists():
        return
    try:
        measure_click_drift(settings)
    except Exception:  # whatever it is, the refresh that calls it is done
        log.exception("the drift of click probabilities could not be measured")
