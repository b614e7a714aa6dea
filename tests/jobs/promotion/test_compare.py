"""On which cases a candidate is compared with the bundle in production."""

from datetime import UTC, datetime, timedelta

import pytest

from recsys.config import Settings
from recsys.errors import DataError
from recsys.instants import DAY
from recsys.jobs.promotion.compare import unseen_split
from recsys.models.manifest import Manifest
from tests.tiny_bundle import tiny_bundle
from tests.training.test_pipeline import DAYS, two_tastes


def manifest(bundle_id: str, data_end_day: int, protocol: str = "time-split") -> Manifest:
    end = datetime.fromtimestamp(0, UTC) + timedelta(days=data_end_day)
    return tiny_bundle(bundle_id).manifest.model_copy(update={"data_end": end, "protocol": protocol})


def test_both_are_tested_on_what_came_after_the_newer_of_them() -> None:
    shop = two_tastes()
    cases = unseen_split(shop, Settings(), manifest("new", DAYS - 9), manifest("old", DAYS - 30, "all")).test
    assert set(cases.at.tolist()) == {(DAYS - 9) * DAY + 1}
    assert len(cases) == 40  # every user bought in the last nine days
    later = unseen_split(shop, Settings(), manifest("new", DAYS - 9), manifest("old", DAYS - 2, "all")).test
    assert set(later.at.tolist()) == {(DAYS - 2) * DAY + 1}


def test_data_without_a_clock_is_compared_on_what_leave_one_out_held_back() -> None:
    shop = two_tastes("order")
    both = [manifest(name, DAYS, "leave-one-out") for name in ("new", "old")]
    assert len(unseen_split(shop, Settings(), *both).test) == 40
    with pytest.raises(DataError, match="no case is new to both"):
        unseen_split(shop, Settings(), both[0], manifest("old", DAYS, "all"))
