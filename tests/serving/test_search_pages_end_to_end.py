"""Pages of one search by two service processes in turn, while items that it matches come in and change."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.jobs.training.test_search_only import CATALOG, typed, write_shop
from tests.serving.test_bentoml_processes import free_port
from tests.started_process import started, wait_until

pytestmark = pytest.mark.slow
PANS, PAGE = 33, 5
SEARCH = {"query": "steel pan", "k": PAGE, "personalisation": 0}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A shop of pans with a bundle for search, and its Redis."""
    folder = tmp_path_factory.mktemp("shop")
    rows = [f"pan-{n},steel pan {n} cm,Home,Pans,,2026-01-05,{n + 5}" for n in range(PANS)]
    rows += [f"tea-{n},green tea {n} g,Food,Tea,,2026-01-05,4" for n in range(10)]
    header = "sku,name,department,group,model,listed,price"
    write_shop(folder, CATALOG, products="\n".join([header, *rows]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        typed(folder, patch, "data", "import", "--mapping", "shop.toml", "--source", "files")
        typed(folder, patch, "features", "build")
        typed(folder, patch, "train", "--search-only")
        typed(folder, patch, "up")
        yield folder
        typed(folder, patch, "down")


@pytest.fixture
def clients(home: Path) -> Iterator[list[httpx.Client]]:
    """Two services on the shop, and the worker that takes in their events."""
    environment = {"RECSYS_TEXT__ENCODER": str(home / "bert"), "RECSYS_SERVING__LIVE_SECONDS": "0.1"}
    with ExitStack() as stack:
        ports = [free_port(), free_port()]
        services = [
            stack.enter_context(
                started(home / "home", ["bentoml", "serve", "--port", str(port)], **environment)
            )
            for port in ports
        ]
        stack.enter_context(started(home / "home", ["recsys", "stream", "run"], **environment))
        for service in services:
            service.wait_for("is in service")
        yield [
            stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20))
            for port in ports
        ]


def searched(client: httpx.Client, cursor: str | None = None) -> dict[str, Any]:
    answer = client.post("/v1/search", json={**SEARCH, "cursor": cursor})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def upsert(client: httpx.Client, item_id: str, title: str, seconds: int) -> None:
    """Sends an item of that title, as it was `seconds` after the shop began."""
    at = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    event = {
        "kind": "item_upsert",
        "event_id": f"{item_id}-{seconds}",
        "item_id": item_id,
        "title": title,
        "text": title,
        "category": "Pans",
        "price_micros": 9_000_000,
        "at": at.isoformat(),
    }
    answer = client.post("/v1/events", json=event)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1), answer.text


def test_no_item_is_shown_twice_or_left_out_by_two_processes_under_upserts(
    clients: list[httpx.Client],
) -> None:
    first = searched(clients[0])
    assert first["total"] == PANS
    shown, cursor, page = [row["item_id"] for row in first["items"]], first["cursor"], 1
    while cursor is not None:
        taking = clients[page % 2]
        upsert(clients[0], f"new-{page}", f"steel pan new {page}", 2 * page)
        upsert(clients[1], f"pan-{page}", f"green pot {page}", 2 * page + 1)
        wait_until(
            lambda taking=taking, page=page: searched(taking)["total"] == PANS,  # type: ignore[misc]
            "one came and one went",
        )
        answer = searched(taking, cursor)
        shown += [row["item_id"] for row in answer["items"]]
        cursor, page = answer["cursor"], page + 1
    assert page == -(-PANS // PAGE)
    assert sorted(shown) == sorted(f"pan-{n}" for n in range(PANS))


def test_an_item_that_one_process_was_told_of_is_found_by_both(clients: list[httpx.Client]) -> None:
    upsert(clients[0], "pan-zirconium", "steel pan zirconium", 1000)
    for client in clients:
        wait_until(
            lambda client=client: (
                "pan-zirconium"  # type: ignore[misc]
                in {row["item_id"] for row in searched_for(client, "zirconium")}
            ),
            "the item is found",
        )


def searched_for(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.post("/v1/search", json={"query": query, "k": 5}).json()["items"]
    return rows
