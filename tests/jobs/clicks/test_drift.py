"""The drift of a home's ads: measured, kept, shown by whoever looks at the home."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from recsys import columns
from recsys.ads.auction.candidates import PricingCode
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.tokens.impression_token import ImpressionTokens, SponsoredImpression
from recsys.config import Settings
from recsys.dataset.click_log import join_impressions
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.health.facts import ClickDriftFacts
from recsys.instants import to_micros
from recsys.jobs.clicks.drift import measure_click_drift, remeasure_click_drift
from recsys.jobs.clicks.slot_labels import read_slot_labels, slot_label_frame
from recsys.stores.ads.traffic import AdsTraffic, InvalidEvent
from recsys.stores.ads_token_key import token_keys
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.served.ad_log import DurableAdLog
from recsys.stores.served.click_drift_file import read_click_drift
from recsys.stores.shop_identity import shop_id

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SERVED = NOW - timedelta(hours=3)
SLOTS = 40


def slot(number: int) -> ServedSlot:
    """Attraction .5, looked at four times in five: p = .4."""
    return ServedSlot(
        slot_id=f"s{number}",
        request_id=f"r{number}",
        served_at=SERVED + timedelta(seconds=number),
        unit=f"u{number % 10}",
        surface="home",
        slot=2,
        position=None,
        item_id="tea",
        account_id="a",
        campaign_id="c",
        line_id="l",
        pricing="cpc",
        bid_micros=10,
        price_micros=9,
        held_micros=4,
        attraction=0.5,
        examination=0.8,
        p_purchase=None,
        propensity=1.0,
        model="m",
        user_id=f"u{number % 10}",
        query="green tea",
    )


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Forty ads, all seen; every second one was clicked: .5, where .4 were expected."""
    settings = Settings(home=tmp_path)
    log = DurableAdLog(settings.paths.ad_log, 400, 10**9, lambda: SERVED)
    log.append([slot(number) for number in range(SLOTS)])
    log.close()
    tokens = ImpressionTokens(token_keys(settings), shop_id(settings) or "")
    rows = []
    for number in range(SLOTS):
        each = slot(number)
        said = SponsoredImpression(
            each.slot_id, each.item_id, "a", "c", "l", 2, 9, PricingCode.CPC, 0.4, each.served_at, "home",
            each.request_id, each.unit,
        )  # fmt: skip
        for kind in (columns.IMPRESSION, *([columns.CLICK] if number % 2 else [])):
            rows.append(
                {
                    columns.EVENT_ID: f"{kind}-{number}",
                    columns.KIND: kind,
                    columns.USER_ID: each.user_id,
                    columns.ITEM_ID: "tea",
                    columns.AT: each.served_at + timedelta(seconds=5),
                    columns.SEQUENCE: len(rows),
                    columns.WEIGHT: 0.0,
                    columns.VIEWABLE: True,
                    columns.TOKEN: tokens.encode(said),
                }
            )
    EventLake(settings.paths.live).append(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))
    return settings


def test_labels_of_the_ad_log_are_what_a_click_model_learns_from(home: Settings) -> None:
    found = read_slot_labels(home, to_micros(NOW - timedelta(days=1)), to_micros(NOW))
    assert found is not None
    labels = join_impressions([slot_label_frame(found)])
    assert len(labels) == SLOTS
    assert labels.clicked.sum() == SLOTS / 2
    assert set(labels.places) == {"ad/home"}
    assert set(labels.query) == {"green tea"}
    assert labels.slot.tolist() == [2] * SLOTS
    assert labels.p_click == pytest.approx([0.4] * SLOTS)
    assert not labels.mature.any()  # purchases may come for a week
    assert labels.at[0] == to_micros(SERVED)


def test_what_is_marked_as_invalid_traffic_teaches_nothing(home: Settings) -> None:
    marked = [
        InvalidEvent("click-1", "click", "velocity", "u1", SERVED, token_id="s1"),
        InvalidEvent("click-3", "click", "velocity", "u3", SERVED),
    ]
    with AdsTraffic.open(home) as traffic:
        traffic.mark(marked)
    found = read_slot_labels(home, to_micros(NOW - timedelta(days=1)), to_micros(NOW))
    assert found is not None
    labels = slot_label_frame(found)
    assert (len(labels), labels["clicked"].sum()) == (SLOTS - 2, SLOTS / 2 - 2)


def test_expected_clicks_over_clicks_are_measured_and_kept_for_services(home: Settings) -> None:
    found = measure_click_drift(home, days=1, now=to_micros(NOW))
    everywhere, place = found.places
    assert (everywhere.place, place.place) == ("", "ad/home")
    assert place.pcoc == pytest.approx(0.8)  # .4 / .5
    assert [row["place"] for row in found.rows] == ["all", "ad/home"]
    kept = read_click_drift(home.paths.click_drift)
    assert kept is not None
    assert (kept.measured_at, kept.places[0].clicks) == (to_micros(NOW), SLOTS // 2)


def test_a_home_without_ads_is_measured_as_having_none(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert not measure_click_drift(settings, now=to_micros(NOW)).places
    assert read_click_drift(settings.paths.click_drift) == ClickDriftFacts(to_micros(NOW))


def test_a_refresh_of_a_home_without_ads_measures_nothing_and_one_that_fails_goes_on(
    home: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Settings(home=tmp_path / "other")
    remeasure_click_drift(other)
    assert read_click_drift(other.paths.click_drift) is None
    home.paths.click_drift.mkdir()
    remeasure_click_drift(home)
    assert "could not be measured" in caplog.text


def test_what_is_no_measurement_is_none(tmp_path: Path) -> None:
    file = tmp_path / "click-drift.json"
    file.write_text('{"measured_at": 3}', "utf-8")
    assert read_click_drift(file) is None
