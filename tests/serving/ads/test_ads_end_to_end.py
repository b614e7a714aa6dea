"""Two services on one database and one Redis: the budgets are theirs together, and nothing is overspent."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import Campaign
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.jobs.promotion.bundle_check import schema_hashes
from recsys.stores.ads.delivery.store import DeliveryStore
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.redis import server as redis_server
from recsys.stores.registry.registry import Registry
from recsys.stores.served.ad_log_files import read_ad_log
from serving.app import create_app
from serving.deployment import open_deployment
from tests.ads.selection.small_market import campaign
from tests.applied_features import apply_features
from tests.tiny_bundle import SERVICES, tiny_bundle

ROOT = Path(__file__).parents[3]
ACCOUNT = Account("acc_1", "acme", "UTC", prepaid=True)  # so that no pace keeps it from its budget
PAID_IN = 60_000
ITEMS = ("bread", "butter", "wine")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A home with a bundle in production and campaigns, and a server whose gate a charge worker has built."""
    # A hold whose answer is late stays held until it ends: a busy machine would change the sums.
    monkeypatch.setattr("recsys.stores.ads_gate.gate.TIMEOUT_SECONDS", 30.0)
    server = Settings(home=tmp_path / "server")
    redis_server.start_server(server)
    found = Settings.model_validate(
        {
            "home": tmp_path / "home",
            "root": ROOT,
            "redis_url": SecretStr(redis_server.redis_url(server)),
            "ads": {
                "reload_seconds": 0.1,
                "pacing_seconds": 0.1,
                "page_seconds": 60.0,
                "click_rate": 0.1,
                "workers": 2,
            },
            "serving": {"timeout_seconds": 60.0, "wait_seconds": 10.0, "workers": 2},
        }
    )
    apply_features(found)
    bundle = tiny_bundle(services=schema_hashes(found, list(SERVICES)) or {})
    with Registry.open(found) as registry:
        registry.register(bundle.manifest, save_bundle(bundle, found.paths.bundles))
        registry.promote(bundle.manifest.bundle_id)
    with AdsStore.open(found) as store:
        store.add_account(ACCOUNT, Author("ann"))
        for each in campaigns():
            store.add_campaign(each, Author("ann"))
    with AdsLedger.open(found) as books:
        books.top_up(ACCOUNT, PAID_IN, "bank 1")
    yield found
    redis_server.stop_server(server)


def campaigns() -> list[Campaign]:
    """Three of one account, whose budgets are each more than a third of the account's."""
    budgets = (25_000, 30_000, 35_000)
    found = [
        campaign(item, item, bid=20_000 + 1000 * at, budget=Budget(None, micros))
        for at, (item, micros) in enumerate(zip(ITEMS, budgets, strict=True))
    ]
    lines = replace(found[0].lines[0], budget=Budget(None, 12_000))
    return [replace(found[0], lines=(lines,)), *found[1:]]


@contextmanager
def two_services(settings: Settings) -> Iterator[list[TestClient]]:
    with ExitStack() as opened:
        clients = []
        for _ in range(2):
            deployment, close = open_deployment(settings)
            opened.callback(close)
            app = create_app(deployment)
            # Entered, so that all its requests have one event loop, as those of a service have.
            client = opened.enter_context(
                TestClient(app, base_url="http://127.0.0.1:3000", raise_server_exceptions=False)
            )
            clients.append(client)
        yield clients


def wait_until_open(client: TestClient) -> None:
    """The pace knows of the gate with its next tick."""
    end = time.monotonic() + 60
    while not (now := client.app.state.deployment.ads.server._now()).standing or now.standing.closed.any():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_services_hold_no_more_than_budgets_and_log_and_count_what_they_serve(settings: Settings) -> None:
    gate = RedisBudgetGate.open(settings)
    with two_services(settings) as clients:
        first = clients[0].post("/v1/ads", json={"user_id": "ann"}).json()
        assert (first["ads"], first["degraded"]) == ([], ["ads_rebuilding"]), "no worker has built the gate"
        gate.rebuild("acc_1", {})
        for client in clients:
            wait_until_open(client)

        def ask(number: int) -> Any:
            path = "/v1/page" if number % 4 == 0 else "/v1/ads"
            body = {"user_id": f"u{number}", **({"k": 4} if number % 4 == 0 else {"slots": 3})}
            answer = clients[number % 2].post(path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(400)))

        caps = {"acc_1/total": PAID_IN, "lin_bread/total": 12_000}
        caps |= {f"{each.campaign_id}/total": each.budget.total_micros or 0 for each in campaigns()}
        used = gate.usage("acc_1", list(caps))
        assert all(used.held[name] <= cap for name, cap in caps.items())
        assert used.held["acc_1/total"] > 0.9 * PAID_IN, "the budget is used"

    shown = [
        token
        for answer in answers
        for token in (
            [ad["token"] for ad in answer["ads"]]
            if "ads" in answer
            else [item["token"] for item in answer["items"] if item["sponsored"]]
        )
    ]
    since = utc_now() - timedelta(days=1)
    logged = list(read_ad_log(settings.paths.ad_log, since, since + timedelta(days=2), pytest.fail))
    assert len(shown) == len(set(shown)) == len(logged)
    assert used.held["acc_1/total"] == sum(slot.held_micros for slot in logged)
    with DeliveryStore.open(settings) as store:
        hours = store.hours(since, since + timedelta(days=2))
        assert sum(hour.requests for hour in hours) == 401
        left = sum(count for hour in hours for count in hour.steps.values())
        assert left == 401 * len(ITEMS), "every request, every campaign: one step each"
    gate.close()
