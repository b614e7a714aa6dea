"""A refresh imports what changed, counts what is in files and stream once, and goes on where it failed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import ConfigError, DataError, StoreUnavailableError
from recsys.instants import utc_now
from recsys.jobs.data import refresh as refresh_job
from recsys.jobs.data.features import FeatureRows
from recsys.jobs.data.refresh import RefreshResult, refresh_shop
from recsys.jobs.stream.run import drain_stream
from recsys.stores.features.online_reader import FeatureReader
from recsys.stores.lake.dataset_files import load_info
from recsys.stores.lake.event_lake import CountedOnce, EventLake, JoinedLake, open_lake
from recsys.stores.locks import wait_for_lock
from recsys.stores.redis import server as redis_server
from tests.applied_features import apply_features
from tests.streaming.real_home import event, send

ROOT = Path(__file__).parents[3]
MAPPING = """
name = "corner"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "orders-*.csv"
user = "who"
item = "what"
kind = "purchase"
time = "when"
[items]
files = "stock.csv"
id = "sku"
title = "name"
"""
START = utc_now().replace(hour=9, minute=30, second=0, microsecond=0) - timedelta(days=6)


def line(who: str, what: str, day: int) -> str:
    return f"{who},{what},{(START + timedelta(days=day)).isoformat()}"


def write_orders(folder: Path, day: int, *lines: str) -> None:
    (folder / f"orders-{day}.csv").write_text("\n".join(["who,what,when", *lines]) + "\n")


@dataclass(frozen=True)
class Shop:
    """A home with its server, and the folder of its files: ann bought tea on each of three days."""

    settings: Settings
    files: Path

    def refresh(self, force: bool = False) -> RefreshResult:
        return refresh_shop(self.settings, force, with_text=False)

    def purchases(self, *users: str) -> list[int]:
        reader = FeatureReader.open(self.settings, columns.RANKING_SERVICE)
        return [int(reader.read_user(user).columns["purchase_count_30d"][0]) for user in users]

    def built_purchases(self, user: str) -> int:
        rows = pq.read_table(self.settings.paths.feature_rows(columns.USER_ACTIVITY)).to_pylist()
        known = [row for row in rows if row["user_id"] == user and row["event_timestamp"] <= utc_now()]
        return int(max(known, key=lambda row: row["event_timestamp"])["purchase_count_30d"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("refresh")
    files = folder / "files"
    files.mkdir()
    (folder / "shop.toml").write_text(MAPPING)
    (files / "stock.csv").write_text("sku,name\ntea,Tea\ncup,Cup\n")
    for day in range(3):
        write_orders(files, day, line("ann", "tea", day), line("bob", "cup", day))
    given = {
        "RECSYS_HOME": str(folder / "home"),
        "RECSYS_SERVING__FEATURE_TIMEOUT_SECONDS": "30",
        "RECSYS_IMPORT__MAPPING": str(folder / "shop.toml"),
        "RECSYS_IMPORT__SOURCE": str(files),
    }
    settings, before = load_settings(given, start=ROOT), dict(os.environ)
    os.environ.update(given)
    redis_server.start_server(settings)
    apply_features(settings)
    try:
        yield Shop(settings, files)
    finally:
        redis_server.stop_server(settings)
        os.environ.clear()
        os.environ.update(before)


def test_a_shop_is_brought_up_to_date_from_nothing_to_a_day_in_files_and_stream(shared: Shop) -> None:
    """One story, since each step costs seconds: the steps are the headings."""
    shop = shared
    # The first refresh imports.
    first = shop.refresh()
    assert (first.imported, first.reason, first.events) == (True, "nothing was imported yet", 6)
    assert shop.purchases("ann", "bob") == [3, 3]

    # Nothing changed: no import; a file that was only touched, too.
    os.utime(shop.files / "orders-1.csv")
    assert not shop.refresh().imported

    # A day comes by the stream, with ids of the client's.
    at = (START + timedelta(days=3)).isoformat()
    bought = [
        event("c1", "ann", "tea", "purchase") | {"at": at},
        event("c2", "cyd", "cup", "purchase") | {"at": at},
    ]
    send(shop.settings, *bought)
    drain_stream(shop.settings)
    assert shop.purchases("ann", "bob", "cyd") == [4, 3, 1]

    # The same day comes as a file, without those ids, with one purchase that was not streamed.
    write_orders(shop.files, 3, line("ann", "tea", 3), line("cyd", "cup", 3), line("bob", "cup", 3))
    again = shop.refresh()
    assert (again.imported, again.reason) == (True, "new, changed or gone: orders-3.csv")
    assert (again.counted_once.by_id, again.counted_once.by_content) == (0, 2)
    assert shop.purchases("ann", "bob", "cyd") == [4, 4, 1]
    assert [shop.built_purchases(user) for user in ("ann", "bob", "cyd")] == [4, 4, 1]
    drain_stream(shop.settings)  # a worker begins anew from the lake
    assert shop.purchases("ann", "bob", "cyd") == [4, 4, 1]
    assert len(open_lake(shop.settings.paths).read()) == 9

    # Fewer than half of the events: refused, and nothing changed.
    (shop.files / "orders-0.csv").rename(shop.files / "kept")
    for day in (1, 2, 3):
        write_orders(shop.files, day, line("ann", "tea", day))
    with pytest.raises(DataError, match=r"only 3 events .* --force"):
        shop.refresh()
    assert load_info(shop.settings.paths).events == 9
    forced = shop.refresh(force=True)
    assert (forced.events, shop.purchases("ann", "bob", "cyd")) == (3, [3, 0, 1])
    drain_stream(shop.settings)
    assert shop.purchases("ann", "bob", "cyd") == [3, 0, 1]


def test_what_both_have_counts_once_by_id_or_by_content(tmp_path: Path) -> None:
    imported, live = EventLake(tmp_path / "imported"), EventLake(tmp_path / "live")
    noon = START + timedelta(hours=2)
    imported.append(
        events_table(("a", "ann", "tea", noon), ("b", "ann", "tea", noon), ("x", "bob", "cup", noon))
    )
    live.append(
        events_table(
            ("a", "ann", "tea", noon),  # the same id
            ("b", "ann", "tea", noon),
            ("c", "ann", "tea", noon),  # a third line of the order: both imported ones are a and b
            ("y", "bob", "cup", noon),  # x by another id
            ("z", "bob", "cup", noon + timedelta(seconds=1)),
        )
    )
    lake = JoinedLake(imported, live)
    assert sorted(lake.read([columns.EVENT_ID])[columns.EVENT_ID].to_pylist()) == ["a", "b", "c", "x", "z"]
    assert lake.counted_once() == CountedOnce(by_id=2, by_content=1)


def test_a_file_of_whole_seconds_says_what_a_stream_said_to_the_millisecond(tmp_path: Path) -> None:
    """Files are cut or rounded to the second; a client may say whole seconds where files do not."""
    imported, live = EventLake(tmp_path / "imported"), EventLake(tmp_path / "live")
    noon = START.replace(hour=12)
    later = [noon + timedelta(milliseconds=part) for part in (0, 400, 700, 1000, 1600)]
    imported.append(
        events_table(
            ("a", "ann", "tea", later[0]),
            ("b", "bob", "tea", later[3]),
            ("c", "cyd", "tea", later[1]),
            ("d", "dan", "tea", later[1]),
        )
    )
    live.append(
        events_table(
            ("p", "ann", "tea", later[1]),  # cut: a
            ("q", "bob", "tea", later[2]),  # rounded: b
            ("r", "cyd", "tea", later[0]),  # c, cut
            ("s", "ann", "tea", later[4]),  # another second
            ("t", "dan", "tea", later[2]),  # both know the millisecond: another one
        )
    )
    lake = JoinedLake(imported, live)
    names = [columns.EVENT_ID]
    assert sorted(lake.read(names)[columns.EVENT_ID].to_pylist()) == ["a", "b", "c", "d", "s", "t"]
    assert lake.counted_once() == CountedOnce(by_id=0, by_content=3)
    # A part of the time gives that part of it, though the two sayings lie on both sides of its ends.
    parts = [
        lake.read(names, None, later[1]),
        lake.read(names, later[1], later[3]),
        lake.read(names, later[3]),
    ]
    found = [sorted(part[columns.EVENT_ID].to_pylist()) for part in parts]
    assert found == [["a"], ["c", "d", "t"], ["b", "s"]]


def test_streamed_events_that_files_tell_by_the_day_are_said_to_count_beside_them(tmp_path: Path) -> None:
    imported, live = EventLake(tmp_path / "imported"), EventLake(tmp_path / "live")
    day, streamed = START.replace(hour=0, minute=0), START.replace(hour=14, minute=3, second=7)
    imported.append(
        events_table(("a", "ann", "tea", day), ("b", "bob", "tea", day), ("c", "cyd", "tea", day))
    )
    live.append(
        events_table(
            ("p", "ann", "tea", streamed),
            ("q", "ann", "cup", streamed),  # another item
            ("r", "bob", "tea", streamed + timedelta(days=1)),  # another day
            ("s", "cyd", "tea", day),  # c, which has its event
            ("t", "cyd", "tea", streamed),
        )
    )
    assert JoinedLake(imported, live).counted_once() == CountedOnce(by_id=0, by_content=1, alike=1)


def events_table(*rows: tuple[str, str, str, Any]) -> pa.Table:
    names = (columns.EVENT_ID, columns.USER_ID, columns.ITEM_ID, columns.AT)
    same = {columns.KIND: "purchase", columns.WEIGHT: 1.0}
    given = [dict(zip(names, row, strict=True)) | same for row in rows]
    for sequence, row in enumerate(given):
        row[columns.SEQUENCE] = sequence
    return pa.Table.from_pylist(given, schema=EVENT_SCHEMA)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("run_import", "stopped at: import. The home is as it was"),
        ("build_feature_rows", "stopped at: features build and feast apply. The import is in place"),
        ("OfflineFeatures", "stopped at: feast materialize-incremental. Feature rows are built"),
    ],
)
def test_a_failing_step_says_where_it_goes_on(
    step: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "shop.toml").write_text(MAPPING)
    (tmp_path / "stock.csv").write_text("sku,name\ntea,Tea\n")
    write_orders(tmp_path, 0, line("ann", "tea", 0))
    given = {"RECSYS_HOME": str(tmp_path / "home"), "RECSYS_IMPORT__SOURCE": str(tmp_path)}
    settings = load_settings({**given, "RECSYS_IMPORT__MAPPING": str(tmp_path / "shop.toml")}, start=ROOT)

    def full(*_: object, **__: object) -> None:
        raise StoreUnavailableError("disk", "write", 0.0)

    monkeypatch.setattr(refresh_job, "build_feature_rows", lambda *_: FeatureRows({}))
    monkeypatch.setattr(refresh_job, "check_online_store", lambda settings: None)  # Redis goes away later
    monkeypatch.setattr(refresh_job, step, full)
    with pytest.raises(StoreUnavailableError):
        refresh_shop(settings)
    assert says in caplog.text


def test_without_a_mapping_the_settings_are_named(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[import\]"):
        refresh_shop(load_settings())


def test_two_refreshes_at_once_are_refused(home: Path) -> None:
    with wait_for_lock(home / "refresh.lock"), pytest.raises(DataError, match="another refresh"):
        refresh_shop(load_settings())
