"""Labels of the ads that a home has served: what the charge worker marked teaches nothing."""

from datetime import timedelta
from pathlib import Path

from recsys.jobs.ads.served_labels import read_served_labels
from recsys.stores.ads.traffic import AdsTraffic, InvalidEvent
from tests.ads.delivery.served_slots import NOW, served_slot
from tests.jobs.ads.served_home import ServedHome

DAY = timedelta(days=1)


def test_a_slot_with_an_event_that_was_marked_as_invalid_traffic_is_no_label(tmp_path: Path) -> None:
    home = ServedHome(tmp_path / "home")
    for name in ("bought by a robot", "seen by a person"):
        home.serve(served_slot(name), "click")
    home.flush()

    def clicks() -> int:
        found = read_served_labels(home.settings, NOW - DAY, NOW + DAY, NOW + 9 * DAY)
        return int(found.labels.in_clicks.sum())

    assert clicks() == 2
    with AdsTraffic.open(home.settings) as traffic:
        traffic.mark([InvalidEvent("bought by a robot-click", "click", "velocity", "ann", NOW)])
    assert clicks() == 1
