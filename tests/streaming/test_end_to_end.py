"""Stream, state, lake, feature store and commands of one home, for real.

The server and the applied features are shared; what a test did to them is undone before the next one.
"""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from recsys import columns
from recsys.cli.app import app
from recsys.config import Settings
from recsys.errors import DataError, StoreUnavailableError
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.health.facts import StreamFacts
from recsys.instants import DAY, NEVER, now_micros, to_micros, utc_now
from recsys.jobs.checks.observe import HomeObserver
from recsys.jobs.stream import run as run_module
from recsys.jobs.stream.replay import replay_events
from recsys.jobs.stream.run import drain_stream, run_stream
from recsys.search.storefront import Storefront
from recsys.search.suggestions.answer import SuggestRequest
from recsys.service_settings import ServingSettings
from recsys.stores.features.build import build_features
from recsys.stores.features.feast_registry import open_repository
from recsys.stores.features.history_rows import latest_history
from recsys.stores.features.online_reader import FeatureReader
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.lake.dataset_files import load_info, save_info
from recsys.stores.lake.event_lake import EventLake, open_lake
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import open_progress, open_stream
from recsys.stores.stream.state import STATE_FILE, SqliteStreamState
from recsys.streaming.stream import partition_of
from tests.search.small_shop import FakeVectors, Row, searcher_of, shop_bundle
from tests.streaming.online_side import as_online, assert_online_equals_batch, categories, online_rows
from tests.streaming.real_home import CATEGORIES, USERS, event, search, send
from tests.streaming.worker_world import differences, rows_at


def command(*words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_first_worker_brings_imported_and_new_events_online(home: Settings) -> None:
    bought = event("p1", "new", "i9", "purchase")
    send(home, event("v1", "ann", "i1"), bought, bought)
    assert command("stream", "run", "--once") == {"events": 3}
    assert_online_equals_batch(home)
    assert sorted(EventLake(home.paths.live).read()[columns.EVENT_ID].to_pylist()) == ["p1", "v1"]


def test_the_status_says_what_was_done(home: Settings) -> None:
    bought = event("p1", "new", "i9", "purchase")
    send(home, event("v1", "ann", "i1"), bought, bought)
    drain_stream(home)
    report = command("stream", "status")
    assert [row["lag"] for row in report["partitions"]] == [0] * 9
    assert report["partitions"][-1]["what"] == "catalogue"
    assert {name: report["events"][name] for name in ("received", "kept", "duplicates")} == {
        "received": 3,
        "kept": 2,
        "duplicates": 1,
    }
    assert report["freshness"]["count"] == 3
    visible = [row["visible_offset"] for row in report["partitions"][:-1]]
    assert visible == [row["last_offset"] for row in report["partitions"][:-1]]
    assert CliRunner().invoke(app, ["stream", "status"]).exit_code == 0


def test_dead_letters_are_listed_retried_and_dropped(home: Settings) -> None:
    stream = open_stream(home)
    wrong = (partition_of("bob", 8) + 1) % 8
    body = json.dumps(event("misplaced", "bob", "i3")).encode()
    stream.append([(wrong, body), (0, b"nonsense")], now_micros())
    stream.close()
    drain_stream(home)
    dead_letters = command("stream", "dlq", "list")
    assert len(dead_letters) == 2
    (nonsense,) = [dead_letter["id"] for dead_letter in dead_letters if dead_letter["body"] == "nonsense"]
    assert command("stream", "dlq", "drop", nonsense) == {"dropped": 1}
    assert command("stream", "dlq", "retry", "--all") == {"retried": 1}
    assert CliRunner().invoke(app, ["stream", "dlq", "drop"]).exit_code == 2
    command("stream", "dlq", "drop", "--all")


def test_a_server_that_forgot_the_script_is_told_it_again(working: Settings) -> None:
    connect(working).script_flush()
    send(working, event("v2", "ann", "i2", "click"))
    drain_stream(working)
    assert_online_equals_batch(working)


def test_a_new_import_begins_the_state_anew_and_keeps_what_came_by_the_stream(
    working: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    send(working, event("v3", "bob", "i4", "cart"))
    info = load_info(working.paths)
    save_info(working.paths, info.model_copy(update={"imported_at": info.imported_at + timedelta(hours=1)}))
    caplog.set_level(logging.INFO, "recsys.jobs")
    assert drain_stream(working).events == 1
    assert caplog.messages == ["the state was begun from the event lake"]
    assert_online_equals_batch(working)


def test_feature_rows_that_are_built_know_the_live_events(working: Settings) -> None:
    build_features(working, with_text=False)
    send(working, event("v4", "ann", "i5", "like"))
    drain_stream(working)
    assert build_features(working, with_text=False)[columns.USER_HISTORY] > 0
    file = working.paths.feature_rows(columns.USER_HISTORY)
    rows = latest_history(file, [columns.USER_ID, columns.HISTORY_KINDS], 0, NEVER).to_pylist()
    (of_ann,) = [row for row in rows if row[columns.USER_ID] == "ann"]
    assert of_ann[columns.HISTORY_KINDS][-1] == columns.KIND_CODES["like"]


def test_an_older_row_never_replaces_a_newer_one_online(working: Settings) -> None:
    before = online_rows(working, USERS, [])
    writer = OnlineRows(working)
    old = rows_at(open_lake(working.paths).read(), now_micros() - 10 * DAY, categories)
    table = pa.Table.from_pylist(list(old["user_activity"].values()), schema=VIEW_SCHEMAS["user_activity"])
    writer.write({"user_activity": table})
    writer.close()
    assert online_rows(working, USERS, []) == before


def test_a_state_that_was_lost_is_begun_from_the_lake_and_counts_nothing_twice(working: Settings) -> None:
    send(working, event("v4", "ann", "i5", "like"))
    assert drain_stream(working).events == 1
    for path in working.paths.stream.glob("state.db*"):
        path.unlink()
    assert drain_stream(working).events == 0  # the stream was told what is in the lake
    assert_online_equals_batch(working)
    state = SqliteStreamState(working.paths.stream)
    send(working, event("v4", "ann", "i5", "like"))  # a client that has had no answer
    assert drain_stream(working).events == 1
    assert state.counters()["duplicates"] == 1
    state.close()
    assert_online_equals_batch(working)


def test_searches_come_online_however_they_come(working: Settings) -> None:
    send(
        working,
        search("s1", "ann", "Green  Tea", ago=50.0, request_id="r1", query_id="r1"),
        search("s2", "ann", "rye", ago=20.0),
        search("s3", "ann", "green tea", request_id="r2", query_id="r1", page=2),
        search("s4", "only searches", "saw"),
    )
    drain_stream(working)
    send(working, search("s5", "ann", "late", ago=30.0))
    drain_stream(working)
    reader = FeatureReader.open(working, columns.SEARCH_SERVICE)
    found = reader.read_user("ann").columns
    assert [*found[columns.SEARCH_TEXTS][0]] == ["rye", "late", "green tea"]
    assert [*reader.read_user("only searches").columns[columns.SEARCH_TEXTS][0]] == ["saw"]
    assert_online_equals_batch(working, [*USERS, "only searches"])
    assert build_features(working, with_text=False)[columns.USER_SEARCHES] == 4  # r1, s5, s2 and s4


def test_a_search_moves_the_next_recommendation_and_is_suggested_to_who_searched(working: Settings) -> None:
    rows = [Row(f"thing {place}", popularity=9 - place) for place in range(1, 8)]
    rows.append(Row("green tea", popularity=1, vector=(1.0, 0.0, 0.0, 0.0)))
    rows = [replace(row, vector=row.vector or (0.0, 1.0, 0.0, 0.0)) for row in rows]
    vectors = FakeVectors({"green tea": (1.0, 0.0, 0.0, 0.0)})
    ranking = FeatureReader.open(working, columns.RANKING_SERVICE, columns.SEARCH_SERVICE)
    settings = ServingSettings(diversity=0.0, searched_weight=1.0)
    recommender = Recommender(shop_bundle(rows), ranking, settings)
    searcher = replace(
        searcher_of(recommender, vectors=vectors),
        features=FeatureReader.open(working, columns.SEARCH_SERVICE),
    )
    shop = Storefront.of(recommender, searcher)

    def recommended(user: str) -> list[tuple[str, str, float]]:
        request = RecommendRequest("r1", user, k=8)
        items = shop.recommender.recommend(request, utc_now()).items
        return [(item.item_id, item.source, item.score) for item in items]

    def suggested(user: str) -> list[tuple[str, str]]:
        answer = shop.searcher().suggest(SuggestRequest("r1", "gre", user))
        return [(each.query, each.origin) for each in answer.queries]

    before = {user: recommended(user) for user in ("ann", "only searches")}
    assert suggested("only searches") == []
    send(working, search("s1", "only searches", "Green  Tea"), search("s2", "ann", "green tea"))
    drain_stream(working)
    after = recommended("only searches")
    assert [item for item, _, _ in before["only searches"]][-1] == "i8"
    assert [each[:2] for each in after[:3]] == [("i1", "popular"), ("i8", "searched"), ("i2", "popular")]
    # Popularity 1, and the standard deviation of 1 to 8 times the deviations of the one item of eight that
    # is near: 1 + sqrt(63 / 12) x sqrt(7) = 7.1, between 8 and 7.
    assert after[1][2] == pytest.approx(1 + sqrt(63 / 12) * sqrt(7), rel=0.01)
    scores = {item: score for item, _, score in before["ann"]}
    moved = {item: score - scores[item] for item, _, score in recommended("ann")}
    assert moved.pop("i8") > 0
    assert moved == pytest.approx(dict.fromkeys(moved, 0.0), abs=0.01)
    assert suggested("only searches") == suggested("ann") == [("green tea", "yours")]
    assert suggested("bob") == []


def test_a_state_of_an_earlier_version_goes_on_with_the_searches_of_the_lake(
    working: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    send(working, search("s1", "ann", "tea"), search("s2", "only searches", "saw"))
    drain_stream(working)
    with closing(sqlite3.connect(working.paths.stream / STATE_FILE)) as state:
        state.execute("ALTER TABLE users DROP COLUMN searches")
        state.execute("DELETE FROM meta WHERE name = 'searches'")
        state.execute("DELETE FROM users WHERE user_id = 'only searches'")
        state.commit()
    keys = connect(working).keys("*")
    connect(working).delete(*[key for key in keys if b"user_searches" in key])
    send(working, search("s3", "ann", "rye", ago=1.0))
    caplog.set_level(logging.INFO, "recsys.jobs")
    assert drain_stream(working).events == 1
    assert caplog.messages == [], "it was taken up, not begun anew"
    assert_online_equals_batch(working, [*USERS, "only searches"])


def test_a_replay_replaces_rows_that_no_event_could(working: Settings) -> None:
    wrong = online_rows(working, ["ann"], [])["user_activity"]["ann"] | {"view_count_1d": 99}
    ahead = utc_now() + timedelta(days=300)  # no row of today wins against it
    wrong |= {columns.USER_ID: "ann", columns.EVENT_TIMESTAMP: ahead, columns.CREATED_TIMESTAMP: ahead}
    writer, reader = OnlineRows(working), FeatureReader.open(working, columns.RANKING_SERVICE)
    writer.write({"user_activity": pa.Table.from_pylist([wrong], schema=VIEW_SCHEMAS["user_activity"])})
    assert reader.read_user("ann").columns["view_count_1d"].tolist() == [99]
    assert command("stream", "replay")["users"] == 3
    assert_online_equals_batch(working)
    right = online_rows(working, ["ann"], [])["user_activity"]["ann"]["view_count_1d"]
    assert reader.read_user("ann").columns["view_count_1d"].tolist() == [right]
    feast = open_repository(working).get_online_features(
        ["user_activity:view_count_1d"], [{"user_id": "ann"}]
    )
    assert feast.to_dict()["view_count_1d"] == [right]


def test_after_a_replay_workers_write_to_the_rows_that_are_read(working: Settings) -> None:
    command("stream", "replay")
    send(working, event("v5", "ann", "i6", "click"))
    drain_stream(working)
    assert_online_equals_batch(working)


def test_a_replay_up_to_a_past_instant_brings_the_features_of_then(working: Settings) -> None:
    then = utc_now() - timedelta(days=30)
    command("stream", "replay", "--to", then.isoformat())
    batch = rows_at(open_lake(working.paths).read(end=then), to_micros(then) - 1, categories)
    found = online_rows(working, USERS, [*CATEGORIES])
    assert differences(found, as_online(batch)) == []
    assert "new" not in found["user_activity"]
    command("stream", "replay")
    assert_online_equals_batch(working)


def test_readers_and_workers_go_on_during_a_replay(working: Settings) -> None:
    stop, seen, failed = threading.Event(), set(), []
    reader = FeatureReader.open(working, columns.RANKING_SERVICE)

    def read() -> None:
        while not stop.is_set():
            rows, _ = reader.read("ann", ["i1", "i2"])
            seen.add(int(rows.event_at["user_activity"][0]))
            if rows.missing["user_activity"][0] or rows.missing["user_history"][0]:
                failed.append("a row was missing")

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            send(working, event(f"during-{number}", USERS[number % 3], f"i{number % 40}", "cart", ago=0.0))
            drain_stream(working)

    threads = [threading.Thread(target=each) for each in (read, work)]
    for thread in threads:
        thread.start()
    deadline, replays = time.monotonic() + 60, 0
    while replays < 3 or (len(seen) < 2 and time.monotonic() < deadline):  # until a new row was read
        replay_events(working, now_micros())
        replays += 1
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(seen) > 1
    drain_stream(working)
    assert_online_equals_batch(working)


def test_a_replay_that_fails_leaves_readers_where_they_were(working: Settings) -> None:
    before = online_rows(working, USERS, [*CATEGORIES])
    years = [datetime(year, 1, 1, tzinfo=UTC) for year in (2001, 2002)]
    with pytest.raises(DataError, match="no event from 2001"):
        replay_events(working, now_micros(), *years)
    assert online_rows(working, USERS, [*CATEGORIES]) == before
    send(working, event("v6", "bob", "i1", "click"))
    drain_stream(working)
    assert_online_equals_batch(working)


def test_a_lake_that_cannot_be_written_stops_the_worker_and_loses_nothing(working: Settings) -> None:
    live, aside = working.paths.live, working.paths.live.with_name("aside")
    live.rename(aside)
    live.write_text("no folder")
    send(working, event("v7", "ann", "i3"), event("v8", "bob", "i2", "click"))
    with pytest.raises(StoreUnavailableError, match="event lake"):
        drain_stream(working)
    live.unlink()
    aside.rename(live)
    assert drain_stream(working).events == 0  # they are in the state and waited there for the lake
    assert {"v7", "v8"} <= set(EventLake(live).read()[columns.EVENT_ID].to_pylist())
    assert_online_equals_batch(working)


def test_a_full_disk_ends_the_command_with_a_reason_and_loses_nothing(working: Settings) -> None:
    many = [event(f"many-{number}", USERS[number % 3], f"i{number % 40}", "cart") for number in range(300)]
    send(working, *many)
    # No file of this process may grow beyond 32 KiB: less than SQLite needs for a step.
    program = (
        "import resource, sys, recsys.jobs.stream.run; from recsys.cli.app import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, 1 << 15))\n"
        "sys.argv = ['recsys', 'stream', 'run', '--once']; main()"
    )
    environment = {**os.environ, "RECSYS_HOME": str(working.paths.home)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "stream state" in done.stderr
    assert "nothing is lost" in done.stderr
    assert drain_stream(working).events == 300
    assert_online_equals_batch(working)


def test_a_worker_gives_signs_of_life_counts_unknown_items_and_leaves(home: Settings) -> None:
    send(home, event("v1", "ann", "i1"), event("v2", "ann", "nowhere"))
    observer = HomeObserver(home)

    def facts() -> StreamFacts:
        found = observer.look(now_micros()).stream
        assert found is not None
        return found

    assert (facts().waiting, facts().worker_seconds) == (2, None)
    stop = threading.Event()
    worker = threading.Thread(target=run_stream, args=(home, (), stop))
    worker.start()
    try:
        end = time.monotonic() + 120
        while facts().waiting or facts().worker_seconds is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert (facts().received, facts().unknown) == (2, 1)
        assert facts().waiting_seconds == 0.0
        assert facts().failing == ()
    finally:
        stop.set()
        worker.join(120)
    assert facts().worker_seconds is None, "it was told to stop: nobody misses it"
    observer.close()


def test_a_merge_of_the_lake_that_fails_is_told_by_the_worker(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "COMPACT_SECONDS", 0.01)
    monkeypatch.setattr(run_module, "BEAT_SECONDS", 0.05)

    def broken(self: EventLake, *bounds: int) -> int:
        raise KeyError("surprise")

    monkeypatch.setattr(EventLake, "compact", broken)
    progress, stop = open_progress(home), threading.Event()
    worker = threading.Thread(target=run_stream, args=(home, (), stop))
    worker.start()
    try:
        end = time.monotonic() + 120
        while [sign.failing for sign in progress.workers()] != [("compaction",)]:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert worker.is_alive()
    finally:
        stop.set()
        worker.join(120)
