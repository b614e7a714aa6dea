"""Simulated shoppers in the corner shop: what they ask and tell is what the real routes take."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import orjson
import pyarrow as pa

from recsys.dataset.schemas import ITEM_SCHEMA
from recsys.instants import to_micros
from recsys.simulation.habits import Habits
from recsys.simulation.live import LiveTraffic, Tally, set_pace, start_pace
from recsys.simulation.needs import open_needs
from recsys.simulation.page_events import Names
from recsys.simulation.searches import ShopperSearches
from recsys.simulation.service import HttpService
from recsys.simulation.truth import TruthWriter, read_truth
from recsys.simulation.world import open_world
from tests.fake_world import CATEGORIES, ITEMS, NOW, PRICES
from tests.serving.conftest import OpenShop, Shop


def catalog() -> pa.Table:
    rows = [
        {
            "item_id": item,
            "title": item.title(),
            "text": f"{category}. {item}",
            "category": category,
            "price_micros": price,
            "available": True,
            "attributes": "{}",
            "at": NOW,
        }
        for item, category, price in sorted(zip(ITEMS, CATEGORIES, PRICES, strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def visit(shop: Shop, folder: Path, api_key: str | None = None, **habits: float) -> Tally:
    world = open_world(
        Habits(**{"shoppers": 30, "slate": 5, "bot_share": 0.1, "bot_views": 20, **habits}), catalog()
    )
    needs = open_needs(world.habits, world.space, catalog())
    pace = start_pace(1.0, 1.0, to_micros(NOW))
    world = set_pace(world, pace, 400)

    async def play() -> Tally:
        transport = httpx.ASGITransport(app=shop.client.app)
        with TruthWriter(folder / "truth.parquet", world) as truth:
            async with HttpService("http://127.0.0.1:3000", api_key, transport) as service:
                names = Names("test")
                searches = ShopperSearches(world, needs, service, names, truth)
                return await LiveTraffic(world, service, pace, names, truth, searches).run()

    return asyncio.run(play())


def test_the_service_takes_every_event_and_the_stream_has_them(open_shop: OpenShop, tmp_path: Path) -> None:
    shop = open_shop()
    tally = visit(shop, tmp_path)
    assert (tally.refused, tally.problem) == (0, None)
    entries = [entry for log in shop.stream.logs for entry in log]
    assert len(entries) == tally.accepted > 100
    kinds = Counter(orjson.loads(entry.body)["kind"] for entry in entries)
    assert kinds["impression"] > kinds["click"] > 0
    assert kinds["search"] > 0


def test_the_truth_names_the_service_s_own_requests_and_probabilities(
    open_shop: OpenShop, tmp_path: Path
) -> None:
    shop = open_shop()
    tally = visit(shop, tmp_path)
    shown = read_truth(tmp_path / "truth.parquet").shown.to_pylist()
    slates = {slate.request_id: slate for slate in shop.deployment.answer_log.answers}  # type: ignore[attr-defined]
    assert tally.slates == len(slates)
    for row in shown:
        item = slates[row["request_id"]].items[row["position"] - 1]
        assert item.item_id == row["item_id"]
        assert item.p_click == row["predicted_p_click"]


def test_shoppers_bring_the_key_where_one_is_asked_for(open_shop: OpenShop, tmp_path: Path) -> None:
    assert visit(open_shop(api_key="secret"), tmp_path, "secret").refused == 0


def test_searches_get_pages_of_the_search_route_and_their_events_name_them(
    open_shop: OpenShop, tmp_path: Path
) -> None:
    shop = open_shop()
    tally = visit(shop, tmp_path, search_sessions=1.0, suggest_share=1.0)
    assert (tally.refused, tally.problem, tally.slates) == (0, None, 0)
    assert tally.searches > 0  # a second's worth, which a busy machine makes few
    answers = shop.deployment.answer_log.answers  # type: ignore[attr-defined]
    pages = {answer.request_id: answer for answer in answers}
    assert {answer.kind for answer in answers} == {"search"}
    events = [orjson.loads(entry.body) for log in shop.stream.logs for entry in log]
    searches = [event for event in events if event["kind"] == "search"]
    # A keystroke is no search: each event is one page of the log, with its text and its total.
    assert {event["request_id"] for event in searches} == set(pages)
    for event in searches:
        page = pages[event["request_id"]]
        assert event["query"] == page.query
        assert (event["query_id"], event["results"], event["page"]) == (page.query_id, page.total, page.page)
    assert {event["results"] for event in searches} == {0, 1}, "a word is the title of one item, or of none"
    shown = read_truth(tmp_path / "truth.parquet").shown.to_pylist()
    assert shown
    for row in shown:
        page = pages[row["request_id"]]
        assert (row["query"], row["query_id"]) == (page.query, page.query_id)
        assert row["item_id"] == next(one.item_id for one in page.items if one.position == row["position"])
