"""What an ad log promises: the fake in memory and the files on disk alike."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.ads.campaigns.bidding import PRICINGS
from recsys.ads.campaigns.targets import SURFACES
from recsys.ads.delivery.ad_log import AdLog
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.errors import DataError, StoreUnavailableError
from recsys.stores.served.ad_log import DurableAdLog
from recsys.stores.served.ad_log_files import read_ad_log
from tests.ads.delivery.served_slots import NOW, served_slot
from tests.fake_ad_log import FakeAdLog


@dataclass
class OpenLog:
    """An ad log, what it holds, and how its disk is made to refuse."""

    log: AdLog
    slots: Callable[[], list[ServedSlot]]
    refuse: Callable[[], None]


@pytest.fixture(params=["fake", "files"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLog]:
    if request.param == "fake":
        fake = FakeAdLog()
        yield OpenLog(fake, lambda: list(fake.slots), lambda: setattr(fake, "refuses", True))
        return
    folder = tmp_path / "ads"
    log = DurableAdLog(folder, 400, 1_000_000, lambda: NOW)

    def read() -> list[ServedSlot]:
        gaps: list[object] = []
        found = list(read_ad_log(folder, NOW - timedelta(days=400), NOW + timedelta(days=400), gaps.append))
        assert gaps == []
        return found

    def refuse() -> None:
        log.close()
        folder.mkdir(exist_ok=True)
        (folder / "ads-index.lock").unlink(missing_ok=True)
        (folder / "ads-index.lock").mkdir()  # no new file can be noted, by any account

    yield OpenLog(log, read, refuse)
    log.close()


def test_what_was_appended_is_there_as_it_was(opened: OpenLog) -> None:
    full = served_slot(
        "s2",
        slot=2,
        position=None,
        p_purchase=None,
        next_item_id="coffee",
        user_id="ann",
        session_id="visit",
        query="grüner „Tee“\n\u2028",
        category="drinks",
        about_item_id="cup",
        arm="holdout",
        served_at=NOW + timedelta(microseconds=1),
        attraction=0.1 + 0.2,
    )
    opened.log.append([served_slot("s1"), full])
    assert opened.slots() == [served_slot("s1"), full]
    assert opened.slots()[1].is_ghost


def test_answers_stand_in_the_order_in_which_they_were_appended(opened: OpenLog) -> None:
    for number in range(20):
        opened.log.append([served_slot(f"s{number}")])
    assert [slot.slot_id for slot in opened.slots()] == [f"s{number}" for number in range(20)]


def test_an_answer_without_ads_is_no_line(opened: OpenLog) -> None:
    opened.log.append([])
    assert opened.slots() == []


def test_many_threads_append_at_once_and_each_answer_is_there_once_and_whole(opened: OpenLog) -> None:
    def append(thread: int) -> None:
        for number in range(25):
            answer = f"{thread}-{number}"
            opened.log.append([served_slot(f"{answer}/1", request_id=answer), served_slot(f"{answer}/2")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    ids = [slot.slot_id for slot in opened.slots()]
    assert sorted(ids) == sorted(f"{t}-{n}/{s}" for t in range(8) for n in range(25) for s in (1, 2))
    first = [place for place, name in enumerate(ids) if name.endswith("/1")]
    assert all(ids[place + 1] == ids[place][:-1] + "2" for place in first)


def test_a_disk_that_refuses_is_said_and_nothing_is_kept(opened: OpenLog) -> None:
    opened.refuse()
    with pytest.raises(StoreUnavailableError, match="the ad log failed to append"):
        opened.log.append([served_slot("s1")])
    assert opened.slots() == []
    opened.log.append([])


def test_slots_of_different_days_are_of_no_one_answer(opened: OpenLog) -> None:
    with pytest.raises(DataError, match="slots of one answer were served on 2 days"):
        opened.log.append([served_slot("s1"), served_slot("s2", served_at=NOW + timedelta(days=1))])
    assert opened.slots() == []


texts = st.none() | st.text(max_size=20)
shares = st.floats(0, 1)
slots = st.builds(
    ServedSlot,
    slot_id=st.text(min_size=1, max_size=64),
    request_id=st.text(max_size=20),
    served_at=st.integers(0, 40_000_000_000).map(lambda micros: NOW + timedelta(microseconds=micros)),
    unit=st.text(max_size=20),
    surface=st.sampled_from(SURFACES),
    slot=st.integers(1, 1000),
    position=st.none() | st.integers(1, 1000),
    item_id=st.text(max_size=20),
    account_id=st.text(max_size=20),
    campaign_id=st.text(max_size=20),
    line_id=st.text(max_size=20),
    pricing=st.sampled_from(PRICINGS),
    bid_micros=st.integers(0, 2**51),
    price_micros=st.integers(0, 2**51),
    held_micros=st.integers(0, 2**51),
    attraction=shares,
    examination=shares,
    p_purchase=st.none() | shares,
    propensity=shares,
    model=st.text(max_size=20),
    next_item_id=texts,
    user_id=texts,
    session_id=texts,
    query=texts,
    category=texts,
    about_item_id=texts,
    arm=st.sampled_from([None, "treatment", "holdout"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(answers=st.lists(st.lists(slots, min_size=1, max_size=4), min_size=1, max_size=3))
def test_any_slot_comes_back_to_the_last_digit(opened: OpenLog, answers: list[list[ServedSlot]]) -> None:
    before = len(opened.slots())
    for answer in answers:
        opened.log.append(answer)
    assert opened.slots()[before:] == [slot for answer in answers for slot in answer]
