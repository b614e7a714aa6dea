"""A promoted bundle is taken up between requests; a broken one is refused and the old one stays."""

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest

from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError, StoreUnavailableError
from recsys.funnel.recommender import Recommender
from recsys.search.storefront import Storefront
from recsys.service_settings import ServingSettings
from serving.live.bundle_watch import RETRY_REJECTED_SECONDS, BundleWatch
from tests.fake_world import Clock, regulars, shop_bundle


class Registry:
    """What is promoted, and which bundles are broken."""

    def __init__(self, record: Any) -> None:
        self.record = record
        self.broken: dict[str, Exception] = {}
        self.away = False
        self.loads: list[str] = []

    def production(self) -> Any:
        if self.away:
            raise StoreUnavailableError("database", "read the production bundle", 1.0)
        return self.record

    def load(self, record: Any) -> Recommender:
        self.loads.append(record.bundle_id)
        if record.bundle_id in self.broken:
            raise self.broken[record.bundle_id]
        return Storefront(Recommender(shop_bundle(bundle_id=record.bundle_id), regulars(), ServingSettings()))


@pytest.fixture
def registry() -> Registry:
    return Registry(promoted("one"))


def promoted(bundle_id: str) -> Any:
    return type("Record", (), {"bundle_id": bundle_id})()


def serving(watch: BundleWatch) -> str:
    return watch.recommender().bundle.manifest.bundle_id


def test_a_promotion_is_taken_up_and_loaded_once(registry: Registry) -> None:
    on_swap: list[str] = []
    watch = BundleWatch(
        registry.production,
        registry.load,
        Clock(),
        lambda shop: on_swap.append(shop.bundle.manifest.bundle_id),
    )
    watch.check()
    watch.check()
    registry.record = promoted("two")
    watch.check()
    assert serving(watch) == "two"
    assert registry.loads == on_swap == ["one", "two"]


@pytest.mark.parametrize(
    "error", [ArtifactMismatchError("made for other features"), RuntimeError("no memory")]
)
def test_a_broken_bundle_is_refused_and_the_old_one_stays(registry: Registry, error: Exception) -> None:
    clock, refusals = Clock(), []
    watch = BundleWatch(registry.production, registry.load, clock, on_rejected=lambda: refusals.append(1))
    watch.check()
    registry.record, registry.broken["two"] = promoted("two"), error
    watch.check()
    watch.check()
    assert serving(watch) == "one"
    assert registry.loads == ["one", "two"], "a refused bundle is not read every two seconds"
    assert len(refusals) == 1
    clock.seconds += RETRY_REJECTED_SECONDS
    registry.broken.clear()
    watch.check()
    assert serving(watch) == "two"


def test_a_rollback_after_a_refusal_is_taken_at_once(registry: Registry) -> None:
    watch = BundleWatch(registry.production, registry.load, Clock())
    registry.broken["one"] = ArtifactMismatchError("made for other features. Run `recsys train`.")
    watch.check()
    with pytest.raises(ArtifactNotFoundError, match="made for other features"):
        watch.recommender()
    registry.record = promoted("zero")
    watch.check()
    assert serving(watch) == "zero"


def test_a_registry_that_is_away_changes_nothing(registry: Registry) -> None:
    watch = BundleWatch(registry.production, registry.load, Clock())
    watch.check()
    registry.away = True
    watch.check()
    assert serving(watch) == "one"


def test_no_bundle_in_production_says_what_to_do(registry: Registry) -> None:
    registry.record = None
    watch = BundleWatch(registry.production, registry.load, Clock())
    watch.check()
    with pytest.raises(ArtifactNotFoundError, match="recsys models promote"):
        watch.recommender()


def test_the_thread_looks_by_itself_and_stops(registry: Registry) -> None:
    watch = BundleWatch(registry.production, registry.load, time.monotonic)
    watch.start(0.01)
    deadline = time.monotonic() + 60
    while watch.current is None and time.monotonic() < deadline:
        time.sleep(0.01)
    watch.stop()
    assert serving(watch) == "one"


def test_requests_in_flight_during_a_promotion_are_all_answered(open_shop, monkeypatch) -> None:
    shop = open_shop(workers=2)
    real, begun = Recommender.serve, threading.Semaphore(0)

    def slow(self: Recommender, *arguments: Any) -> Any:
        begun.release()
        time.sleep(0.01)
        return real(self, *arguments)

    monkeypatch.setattr(Recommender, "serve", slow)

    async def ask_while_promoting() -> list[httpx.Response]:
        transport = httpx.ASGITransport(shop.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
            asked = [
                asyncio.create_task(client.post("/v1/recommend", json={"user_id": "ann"})) for _ in range(20)
            ]
            for _ in range(2):  # both threads are at work, so the first request is
                await asyncio.to_thread(begun.acquire, timeout=60)
            shop.promoted[0] = promoted("bundle-2")
            await asyncio.to_thread(shop.deployment.bundles.check)
            asked += [
                asyncio.create_task(client.post("/v1/recommend", json={"user_id": "ann"})) for _ in range(10)
            ]
            return list(await asyncio.gather(*asked))

    answers = asyncio.run(ask_while_promoting())
    assert {answer.status_code for answer in answers} == {200}
    bundles = [answer.json()["bundle_id"] for answer in answers]
    assert bundles[0] == "bundle-1"
    assert set(bundles[20:]) == {"bundle-2"}
