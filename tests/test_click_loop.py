"""A shop's clicks become a click model: impressions and ads in the log, training, evaluation, prediction.

Every step is the command that a user types, on the shop of the closed loop; the last asks the predictor.
"""

import json
import random
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys import columns
from recsys.ads.auction.candidates import PricingCode
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.selection.prediction import AdContext, SmoothedRates
from recsys.ads.tokens.impression_token import ImpressionTokens, SponsoredImpression
from recsys.config import Settings, load_settings
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.instants import utc_now
from recsys.jobs.clicks.predictor import open_click_predictor
from recsys.stores.ads_token_key import token_keys
from recsys.stores.bundles.bundles import load_bundle
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.served.ad_log import DurableAdLog
from recsys.stores.shop_identity import shop_id
from tests.test_closed_loop import ITEMS, MAPPING, ROOT, USERS, Shop, write_shop

pytestmark = pytest.mark.slow

ANSWERS, DAYS, SLOTS = 2400, 50, (1.0, 0.6, 0.4)
LIKED, OTHER = 0.7, 0.05  # attraction of what is, and is not, of a user's taste


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(folder)
    shop.environment |= {
        "RECSYS_CTR__MIN_CLICKS": "200",
        "RECSYS_CTR__EPOCHS": "8",
        "RECSYS_CTR__BATCH_SIZE": "64",
        "PYTHONPATH": str(ROOT),
    }
    write_shop(shop.source)
    (folder / "shop.toml").write_text(MAPPING, "utf-8")
    shop.type(f"recsys data import --mapping {folder / 'shop.toml'} --source {shop.source}")
    settings = Settings(home=shop.home)
    events, slots = answers(settings, utc_now())
    EventLake(settings.paths.live).append(events)
    for _, of_day in groupby(slots, lambda slot: slot.served_at.date()):
        day = list(of_day)
        # Files are found by the day of their writing.
        log = DurableAdLog(settings.paths.ad_log, 400, 10**9, partial(getattr, day[0], "served_at"))
        log.append(day)
        log.close()
    return shop


def answers(settings: Settings, now: datetime) -> tuple[pa.Table, list[ServedSlot]]:
    """Answers of three items on the home page, every second one sponsored, and the clicks on them."""
    rng = random.Random(0)
    tokens = ImpressionTokens(token_keys(settings), shop_id(settings) or "")
    rows: list[dict[str, Any]] = []
    slots: list[ServedSlot] = []

    def add(
        kind: str, user: int, item: int, at: datetime, request: str, place: int, token: str | None
    ) -> None:
        rows.append(
            {
                columns.EVENT_ID: f"live-{len(rows)}",
                columns.KIND: kind,
                columns.USER_ID: f"u{user}",
                columns.ITEM_ID: f"i{item}",
                columns.AT: at,
                columns.SEQUENCE: 10**9 + len(rows),
                columns.REQUEST_ID: request,
                columns.POSITION: place,
                columns.WEIGHT: 0.0,
                columns.SURFACE: "home",
                columns.VIEWABLE: True,
                columns.TOKEN: token,
            }
        )

    instants = sorted(now - timedelta(days=rng.uniform(0.1, DAYS)) for _ in range(ANSWERS))
    for number, at in enumerate(instants):
        user, request, sponsored = rng.randrange(USERS), f"r{number}", number % 2 == 1
        for place, item in enumerate(rng.sample(range(ITEMS), len(SLOTS)), 1):
            token = None
            if sponsored:
                slot_id = f"{request}-{place}"
                slots.append(served(slot_id, request, at, user, item, place))
                token = tokens.encode(
                    SponsoredImpression(
                        slot_id,
                        f"i{item}",
                        "a",
                        "c",
                        "l",
                        place,
                        100,
                        PricingCode.CPC,
                        0.1,
                        at,
                        "home",
                        request,
                        f"u{user}",
                    )
                )
            add(columns.IMPRESSION, user, item, at + timedelta(seconds=1), request, place, token)
            liked = (item >= ITEMS // 2) == (user % 2 == 1)
            if rng.random() < (LIKED if liked else OTHER) * SLOTS[place - 1]:
                add(columns.CLICK, user, item, at + timedelta(seconds=9), request, place, token)
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA), slots


def served(slot_id: str, request: str, at: datetime, user: int, item: int, place: int) -> ServedSlot:
    return ServedSlot(
        slot_id=slot_id,
        request_id=request,
        served_at=at,
        unit=f"u{user}",
        surface="home",
        slot=place,
        position=place,
        item_id=f"i{item}",
        account_id="a",
        campaign_id="c",
        line_id="l",
        pricing="cpc",
        bid_micros=100,
        price_micros=100,
        held_micros=10,
        attraction=0.1,
        examination=1.0,
        p_purchase=None,
        propensity=1.0,
        model="before",
        user_id=f"u{user}",
    )


def test_clicks_make_a_model_that_tells_tastes_apart_and_is_measured_on_what_came_later(shop: Shop) -> None:
    trained = json.loads(shop.type("recsys train --protocol time-split --json"))
    assert "no click model" not in trained
    found = json.loads(shop.type("recsys evaluate --task ctr --json"))
    by_name = {each["name"]: each for each in found["models"]}
    ours, rate = by_name["click model"]["metrics"], by_name["click rate by item"]["metrics"]
    assert ours["auc"]["value"] > 0.75 > rate["auc"]["value"]
    assert ours["pcoc"]["value"] == pytest.approx(1, abs=0.15)
    assert {"ad/home, slot 1", "home, slot 3"} <= {each["name"] for each in found["slices"]}
    assert any(path.endswith("reliability.png") for path in found["report"])

    settings = load_settings({}, start=ROOT).model_copy(update={"home": shop.home})
    bundle = load_bundle(settings.paths.bundles / trained["bundle"])
    shop.type("recsys up")
    try:
        shop.type("cd feature_repo && feast materialize-incremental $(date -u +%FT%TZ)")
        predictor = open_click_predictor(
            settings, settings.paths.bundles / trained["bundle"], bundle, SmoothedRates()
        )
        items = [f"i{n}" for n in range(ITEMS)]
        tea = predictor.estimate(AdContext("home", "u0", utc_now(), user_id="u0"), items).attraction
        assert np.mean(tea[: ITEMS // 2]) > 2 * np.mean(tea[ITEMS // 2 :])
        seen = predictor.examination("home", 4)
        assert seen[0] == 1
        assert seen[1] == pytest.approx(SLOTS[1], abs=0.15)
        assert seen[2] == seen[3] == pytest.approx(SLOTS[2], abs=0.15)
    finally:
        shop.type("recsys down")
