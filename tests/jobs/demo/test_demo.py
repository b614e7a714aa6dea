"""The demo's steps that need no service: its commands, the items of its last step, and what it prints."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from recsys import columns
from recsys.cli.demo.demo import _Screen
from recsys.config import Settings
from recsys.dataset.schemas import EVENT_SCHEMA, ITEM_SCHEMA
from recsys.errors import RecsysError
from recsys.jobs.demo.ads import DemoAds, SponsoredPlace
from recsys.jobs.demo.demo import DemoEvaluation, DemoReport
from recsys.jobs.demo.households import Household, Purchase
from recsys.jobs.demo.live import SentEvent, SlateChange, unfamiliar_items
from recsys.jobs.demo.processes import run_command
from recsys.jobs.demo.searches import AnsweredSearch, DemoSearches, NextSearch, TwoTastes
from recsys.stores.lake.dataset_files import save_items
from recsys.stores.lake.event_lake import EventLake

START = datetime(2025, 5, 1, tzinfo=UTC)
CHANGE = SlateChange("ann", (SentEvent("view", "mug"),), 12.3, ("tea (1)", "oil (2)"), ("mug (3)", "tea (1)"))
SLATE = {"items": [{"position": 1, "title": "tea", "score": 0.123456, "reason": {"text": "bought often"}}]}
PAGE = AnsweredSearch({"query": "tea", "user_id": "ann"}, {"query": "tea", "items": []}, 1.0)
CLICK = NextSearch(
    "tea", "ann", "1", "tea", before=20, after=4, like_before=1, like_after=4, seen=True, milliseconds=9
)
SEARCHES = DemoSearches((PAGE,), TwoTastes(PAGE, PAGE, 0), CLICK, {"typed": "te"})
PLACE = SponsoredPlace(2, "oat milk", "North Brands", "coupons 1", "cpc", 600_000, 310_000, 0.0125, None)
ADS = DemoAds(
    page={
        "user_id": "ann",
        "degraded": [],
        "items": [
            {"position": 1, "title": "tea", "category": "Drinks", "sponsored": False},
            {"position": 2, "title": "oat milk", "category": "Drinks", "sponsored": True},
        ],
    },
    milliseconds=21,
    places=(PLACE,),
    clicked=0,
    spent_before=0,
    spent_after=310_000,
    charged_seconds=0.25,
)
HOUSEHOLD = Household("ann", 7, (Purchase("2025-05-01T00:00:00+00:00", "oil"),), SLATE)


def test_a_command_is_shown_before_it_runs_and_its_failure_names_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "recsys.jobs")
    with pytest.raises(RecsysError, match=r"`python -c raise SystemExit\(3\)` failed with exit code 3"):
        run_command(["python", "-c", "raise SystemExit(3)"], quiet=True)
    assert caplog.messages == ["$ python -c raise SystemExit(3)"]


def test_unfamiliar_items_are_the_most_frequent_of_a_category_that_the_user_never_touched(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path)
    shop = {"tea": "drinks", "mug": "dishes", "cup": "dishes", "pan": "dishes", "oil": "food"}
    items = [
        {columns.ITEM_ID: name, columns.TITLE: name, columns.TEXT: name, columns.CATEGORY: category}
        | {columns.AVAILABLE: True, columns.ATTRIBUTES: "{}", columns.AT: START}
        for name, category in shop.items()
    ]
    save_items(settings.paths, pa.Table.from_pylist(items, schema=ITEM_SCHEMA))
    taken = ["mug", "pan", "mug", "cup", "pan", "mug", "oil", "oil", "oil", "oil", "oil", "oil", "oil"]
    rows = [("bob", item) for item in taken] + [("ann", "tea")]
    events = [
        {columns.EVENT_ID: f"e{place}", columns.KIND: columns.PURCHASE, columns.USER_ID: user}
        | {columns.ITEM_ID: item, columns.AT: START + timedelta(minutes=place)}
        | {columns.SEQUENCE: place, columns.WEIGHT: 1.0}
        for place, (user, item) in enumerate(rows)
    ]
    EventLake(settings.paths.lake).append(pa.Table.from_pylist(events, schema=EVENT_SCHEMA))
    assert unfamiliar_items(settings, "ann") == ["mug", "pan"]  # food has more events, but one item only
    with pytest.raises(RecsysError, match="'bob' knows every category"):
        unfamiliar_items(settings, "bob")


def test_what_is_found_is_one_document_for_programs(tmp_path: Path) -> None:
    evaluation = DemoEvaluation("b1", tmp_path, [{"model": "recsys", "ndcg@10": 0.1}])
    report = DemoReport("http://localhost:3000", evaluation, (HOUSEHOLD,), CHANGE, SEARCHES, ADS)
    document = json.loads(json.dumps(report.to_json()))
    assert document.pop("ads") == json.loads(json.dumps(ADS.to_json()))
    assert document.pop("searches") == json.loads(json.dumps(SEARCHES.to_json()))
    assert document == {
        "address": "http://localhost:3000",
        "evaluation": [{"model": "recsys", "ndcg@10": 0.1}],
        "households": [
            {
                "user_id": "ann",
                "events": 7,
                "history": [{"at": "2025-05-01T00:00:00+00:00", "title": "oil"}],
                "slate": SLATE,
            }
        ],
        "live": {
            "user_id": "ann",
            "events": [{"kind": "view", "item_id": "mug"}],
            "milliseconds": 12.3,
            "before": ["tea (1)", "oil (2)"],
            "after": ["mug (3)", "tea (1)"],
        },
    }


def test_people_see_what_is_new_on_the_slate(capsys: pytest.CaptureFixture[str]) -> None:
    _Screen().show_households([HOUSEHOLD])
    _Screen().show_change(CHANGE)
    shown = " ".join(capsys.readouterr().out.split())  # titles are folded to the width of their table
    assert "Household ann, 7 purchases" in shown
    assert "bought often" in shown
    assert "+ mug (3)" in shown
    assert "+ tea" not in shown
    assert "12 ms from sending to the slate" in shown


def test_people_see_which_items_are_sponsored_what_they_pay_and_what_a_click_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _Screen().show_ads(ADS)
    shown = " ".join(capsys.readouterr().out.split())
    assert "sponsored" in shown
    assert "0.60 for a click" in shown
    assert "0.31" in shown
    assert "nobody" in shown
    assert "0.00 spent, 0.31 after it, booked 250 ms after it was sent" in shown
