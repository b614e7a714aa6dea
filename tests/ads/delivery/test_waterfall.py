"""The steps of a waterfall add up to the requests, whatever was counted and changed."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.campaigns.local_days import time_zone
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.targets import SURFACES
from recsys.ads.delivery.counts import CountedHour, DeliveryCounts
from recsys.ads.delivery.remedies import REMEDIES, loss_message
from recsys.ads.delivery.running import CampaignVersion, running_spans, version_of
from recsys.ads.delivery.steps import Step
from recsys.ads.delivery.waterfall import Waterfall, summed, waterfall_of, waterfalls_by_day

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOON + 1000 * HOUR
ALWAYS = ((NOON - 1000 * HOUR, NOON + 1000 * HOUR),)
REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 60 * 72),
        st.sampled_from(SURFACES),
        st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(Step)),
        st.booleans(),
    ),
    max_size=60,
)
CHANGES = st.lists(st.tuples(st.integers(0, 60 * 72), st.booleans()), max_size=6)


@given(REQUESTS, CHANGES, st.sampled_from(["UTC", "Asia/Shanghai", "Asia/Kolkata", "America/New_York"]))
def test_the_steps_of_each_day_add_up_to_its_requests(requests, changes, zone) -> None:
    counts = DeliveryCounts()
    for minute, surface, steps, holdout in requests:
        counts.count(NOON + timedelta(minutes=minute), surface, steps, holdout)
    versions = [
        CampaignVersion(NOON + timedelta(minutes=minute), may_run, Schedule())
        for minute, may_run in sorted(changes)
    ]
    spans = running_spans(versions, time_zone(zone), NOON, NOON + 72 * HOUR)
    days = waterfalls_by_day(counts.take(), "a", spans, time_zone(zone), LATER)
    shown = [each for each in requests if not each[3]]
    for found in days.values():
        assert found.requests == sum(found.losses().values()) + found.won
        assert found.requests >= found.eligible >= found.matched >= found.auctions >= found.won >= 0
        assert min(found.losses().values()) >= 0
    total = summed(days.values())
    assert total.requests == len(shown)
    assert total.matched == sum("a" in steps for _, _, steps, _ in shown)
    assert total.won == sum(steps.get("a") is Step.WON for _, _, steps, _ in shown)


def test_an_hour_is_told_step_by_step() -> None:
    steps = {("a", Step.WON): 2, ("a", Step.OUTBID): 5, ("a", Step.FLOOR): 1, ("b", Step.WON): 9}
    found = waterfall_of(CountedHour(NOON, "home", False, 20, steps), "a", ALWAYS, LATER)
    assert (found.requests, found.eligible, found.matched, found.auctions, found.won) == (20, 20, 8, 7, 2)
    assert found.losses() == {
        "running": 0,
        "targets": 12,
        "quality": 0,
        "floor": 1,
        "budget": 0,
        "pacing": 0,
        "cap": 0,
        "outbid": 5,
        "page": 0,
    }
    assert (found.win_rate, found.share_of_voice) == (2 / 7, 2 / 8)


def test_a_campaign_that_ran_half_an_hour_was_eligible_in_half_of_its_requests() -> None:
    hour = CountedHour(NOON, "home", False, 20, {("a", Step.WON): 3})
    assert waterfall_of(hour, "a", [(NOON, NOON + HOUR / 2)], LATER).eligible == 10
    assert waterfall_of(hour, "a", [], LATER).eligible == 3, "what was counted was running"


def test_of_an_hour_that_is_not_over_only_what_has_passed_counts() -> None:
    hour, ran = CountedHour(NOON, "home", False, 20, {}), [(NOON, NOON + HOUR / 4)]
    assert waterfall_of(hour, "a", ALWAYS, NOON + HOUR / 2).eligible == 20
    assert waterfall_of(hour, "a", ran, NOON + HOUR / 2).eligible == 10
    assert waterfall_of(hour, "a", ran, LATER).eligible == 5
    assert waterfall_of(hour, "a", ALWAYS, NOON - HOUR).eligible == 20, "counted by a clock that is ahead"


def test_days_are_those_of_the_account() -> None:
    hours = [CountedHour(NOON + each * HOUR, "home", False, 1, {}) for each in range(24)]
    # 12:00 UTC is 20:00 there.
    days = waterfalls_by_day(hours, "a", ALWAYS, time_zone("Asia/Shanghai"), LATER)
    assert {day: each.requests for day, each in days.items()} == {date(2026, 5, 1): 4, date(2026, 5, 2): 20}


def test_held_out_requests_are_left_out() -> None:
    assert waterfalls_by_day([CountedHour(NOON, "home", True, 7, {})], "a", ALWAYS, UTC, LATER) == {}


def test_spans_follow_status_review_lines_and_dates() -> None:
    lines = [{"status": "active", "items": ["1"]}]
    running = {
        "status": "active",
        "review": {"state": "approved"},
        "lines": lines,
        "starts_on": None,
        "ends_on": None,
    }
    changes = [
        (0, {**running, "review": {"state": "pending"}}),
        (1, running),
        (2, {**running, "status": "paused"}),
        (3, running),
        (4, {**running, "lines": [{"status": "archived", "items": ["1"]}]}),
        (5, {**running, "ends_on": "2026-05-01"}),
    ]
    versions = [version_of(NOON + hours * HOUR, document) for hours, document in changes]
    spans = running_spans(versions, UTC, NOON, NOON + 24 * HOUR)
    assert [((first - NOON) / HOUR, (last - NOON) / HOUR) for first, last in spans] == [
        (1, 2),
        (3, 4),
        (5, 12),
    ]


def test_a_message_names_the_step_at_which_most_were_lost_and_what_helps() -> None:
    found = Waterfall(100, 10, 60, {Step.FLOOR: 20, Step.OUTBID: 9, Step.WON: 1})
    assert found.largest_loss() == "floor"
    message = (
        "20 of the 30 requests that came so far: it bids less than the reserve of the place. Raise --bid."
    )
    assert loss_message(found) == message
    assert Waterfall(100, 10, 90).largest_loss() == "targets"
    assert Waterfall(100, 100).largest_loss() == "running"
    assert loss_message(Waterfall()) is None
    assert list(REMEDIES) == list(Waterfall().losses())
