"""An import replaces a home's data in one step, or not at all."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import ConfigError, DataError, RecsysError, StoreUnavailableError
from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import mapping_sha256, parse_mapping
from recsys.jobs.data import import_shop as shop_import
from recsys.jobs.data.import_shop import run_import
from recsys.jobs.data.stats import dataset_stats
from recsys.stores.lake.dataset_files import load_info, load_items, load_report, load_users
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.locks import wait_for_lock

NOW = datetime(2026, 3, 4, tzinfo=UTC)
MAPPING = """
name = "s"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "e.csv"
user = "u"
item = "i"
kind = "purchase"
time = "t"
"""


@pytest.fixture
def paths(tmp_path: Path) -> HomePaths:
    return HomePaths(tmp_path / "home")


def write(folder: Path, rows: int) -> None:
    folder.mkdir(exist_ok=True)
    lines = [f"u{row % 3},i{row % 2},2026-03-0{1 + row % 3}T00:00:{row:02d}Z" for row in range(rows)]
    (folder / "e.csv").write_text("\n".join(["u,i,t", *lines]) + "\n")


def imported(paths: HomePaths, folder: Path, mapping: str = MAPPING) -> None:
    shop = ShopFiles(parse_mapping(mapping, "m.toml"), mapping_sha256(mapping), folder)
    run_import(paths, shop, mapping, NOW)


def contents(paths: HomePaths) -> tuple[Any, ...]:
    return (
        EventLake(paths.lake).read().to_pylist(),
        load_items(paths).to_pylist(),
        load_users(paths).to_pylist(),
        load_info(paths),
        load_report(paths),
    )


def test_an_import_fills_a_home(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 6)
    imported(paths, tmp_path / "shop")
    info = load_info(paths)
    assert (info.events, info.users, info.items) == (6, 3, 2)
    assert len(EventLake(paths.lake).read()) == 6
    assert (paths.data / "mapping.toml").read_text() == MAPPING
    assert pq.read_table(paths.data / "quarantine" / "rows.parquet").num_rows == 0
    assert sorted(path.name for path in paths.home.iterdir()) == ["data", "import.lock", "lake", "shop.json"]


def test_the_same_files_again_give_the_same_home(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 6)
    imported(paths, tmp_path / "shop")
    before = contents(paths)
    imported(paths, tmp_path / "shop")
    assert contents(paths) == before


def test_other_files_replace_what_was_there(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 6)
    imported(paths, tmp_path / "shop")
    write(tmp_path / "shop", 2)
    imported(paths, tmp_path / "shop")
    assert len(EventLake(paths.lake).read()) == 2


def day_files(paths: HomePaths) -> dict[str, set[str]]:
    days = sorted(paths.lake.glob("day=*"))
    return {day.name: {file.name for file in day.glob("*.parquet")} for day in days}


def test_days_keep_the_files_of_events_that_are_still_there(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 5)  # two events on 1 and 2 March, one on 3 March
    imported(paths, tmp_path / "shop")
    before = day_files(paths)
    write(tmp_path / "shop", 6)
    imported(paths, tmp_path / "shop")
    assert {day: len(files - before[day]) for day, files in day_files(paths).items()} == {
        "day=2026-03-01": 0,
        "day=2026-03-02": 0,
        "day=2026-03-03": 1,
    }
    assert all(files >= before[day] for day, files in day_files(paths).items())
    anew = HomePaths(tmp_path / "anew")
    imported(anew, tmp_path / "shop")
    assert contents(paths)[0] == contents(anew)[0]


def test_a_day_with_a_corrected_event_gets_other_files(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 6)
    imported(paths, tmp_path / "shop")
    before = day_files(paths)
    events = tmp_path / "shop" / "e.csv"
    events.write_text(events.read_text().replace("u2,i1,2026-03-03", "u1,i1,2026-03-03"))
    imported(paths, tmp_path / "shop")
    after = day_files(paths)
    assert [after[day] == files for day, files in before.items()] == [True, True, False]
    assert not after["day=2026-03-03"] & before["day=2026-03-03"]
    anew = HomePaths(tmp_path / "anew")
    imported(anew, tmp_path / "shop")
    assert contents(paths)[0] == contents(anew)[0]


def _no_column(folder: Path) -> str:
    (folder / "e.csv").write_text("u,i\n1,2\n")
    return MAPPING


def _no_event(folder: Path) -> str:
    (folder / "e.csv").write_text("u,i,t\n1,2,never\n")
    return MAPPING


def _half_parquet(folder: Path) -> str:
    pq.write_table(pa.table({"u": ["1"] * 999, "i": ["2"] * 999, "t": ["x"] * 999}), folder / "e.parquet")
    (folder / "e.parquet").write_bytes((folder / "e.parquet").read_bytes()[:-9])
    return MAPPING.replace("e.csv", "e.parquet")


def _unknown_zone(folder: Path) -> str:
    (folder / "e.csv").write_text("u,i,t\n1,2,2026-03-01 00:00:00\n")
    return MAPPING.replace('"t"', '{ column = "t", zone = "Nowhere" }')


@pytest.mark.parametrize("spoil", [_no_column, _no_event, _half_parquet, _unknown_zone])
def test_a_failed_import_leaves_everything_as_it_was(tmp_path: Path, paths: HomePaths, spoil: Any) -> None:
    folder = tmp_path / "shop"
    write(folder, 6)
    imported(paths, folder)
    before = contents(paths)
    mapping = spoil(folder)
    with pytest.raises(RecsysError):
        imported(paths, folder, mapping)
    assert contents(paths) == before
    there = {path.name for path in paths.home.iterdir()}
    assert there - {"import-failed"} == {"data", "import.lock", "lake", "shop.json"}


def test_the_quarantine_of_a_failed_import_is_kept_until_a_good_one(tmp_path: Path, paths: HomePaths) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    mapping = _no_event(folder)
    kept = paths.home / "import-failed" / "rows.parquet"
    with pytest.raises(DataError) as failed:
        imported(paths, folder, mapping)
    assert "none of 1 rows is an event (bad_time 1)" in str(failed.value)
    assert "e.csv, row 2: t = 'never' is not an instant" in str(failed.value)
    assert f"(1): {kept}" in str(failed.value)
    assert pq.read_table(kept)["reason"].to_pylist() == ["bad_time"]
    write(folder, 6)
    imported(paths, folder)
    assert not kept.parent.exists()


def test_a_failure_without_rejected_rows_leaves_no_quarantine_of_the_one_before(
    tmp_path: Path, paths: HomePaths
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    with pytest.raises(DataError):
        imported(paths, folder, _no_event(folder))
    (folder / "e.csv").write_text("u,i,t\n")
    with pytest.raises(DataError, match="have no rows") as failed:
        imported(paths, folder)
    assert "import-failed" not in str(failed.value)
    assert not (paths.home / "import-failed").exists()


def test_a_full_disk_is_refused_before_anything_is_written(
    tmp_path: Path, paths: HomePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "shop", 6)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shop_import.shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    with pytest.raises(StoreUnavailableError, match=r"1 MiB free.*RECSYS_HOME"):
        imported(paths, tmp_path / "shop")
    assert not paths.data.exists()


def test_a_disk_that_fills_up_on_the_way_leaves_the_old_data(
    tmp_path: Path, paths: HomePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "shop", 6)
    imported(paths, tmp_path / "shop")
    before = contents(paths)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recsys.stores.lake.day.pq.write_table", full)
    with pytest.raises(StoreUnavailableError, match="No space left"):
        imported(paths, tmp_path / "shop")
    monkeypatch.undo()
    assert contents(paths) == before


@pytest.mark.parametrize("renames", range(4))  # two parts: the old one goes, the new one comes
def test_a_crash_while_parts_move_is_finished_by_the_next_who_looks(
    tmp_path: Path, paths: HomePaths, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    folder = tmp_path / "shop"
    write(folder, 6)
    imported(paths, folder)
    write(folder, 2)
    real, done = Path.rename, []

    def rename(self: Path, target: Path) -> Path:
        inside = (paths.home / "import-ready").exists() and target.name != "import-ready"
        if inside:
            if len(done) == renames:
                raise KeyboardInterrupt  # stands for a kill: nothing is cleaned up after it
            done.append(target)
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        imported(paths, folder)
    monkeypatch.undo()
    assert load_info(paths).events == 2
    assert len(EventLake(paths.lake).read()) == 2
    assert sorted(path.name for path in paths.home.iterdir()) == ["data", "import.lock", "lake", "shop.json"]


def test_what_a_killed_import_left_is_cleared_away(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 6)
    left = paths.home / "import-staging" / "lake" / "events" / "day=2020-01-01"
    left.mkdir(parents=True)
    (left / "x.parquet").write_bytes(b"half")
    imported(paths, tmp_path / "shop")
    assert len(EventLake(paths.lake).read()) == 6


def test_two_imports_at_once_are_refused(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 6)
    paths.home.mkdir()
    with wait_for_lock(paths.home / "import.lock"), pytest.raises(DataError, match="another import"):
        imported(paths, tmp_path / "shop")


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    write(tmp_path / "shop", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="RECSYS_HOME"):
        imported(HomePaths(tmp_path / "file" / "home"), tmp_path / "shop")


@pytest.mark.parametrize("load", [load_info, load_items, load_users, load_report])
def test_nothing_imported_says_what_to_run(paths: HomePaths, load: Any) -> None:
    with pytest.raises(DataError, match="recsys data import"):
        load(paths)


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (load_info, "dataset.json"),
        (load_items, "items.parquet"),
        (load_users, "users.parquet"),
        (load_report, "report.json"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, paths: HomePaths, load: Any, name: str) -> None:
    write(tmp_path / "shop", 2)
    imported(paths, tmp_path / "shop")
    (paths.data / name).write_bytes(b"{")
    with pytest.raises(DataError, match=name):
        load(paths)


def test_stats_count_what_is_there(tmp_path: Path, paths: HomePaths) -> None:
    write(tmp_path / "shop", 6)
    with (tmp_path / "shop" / "e.csv").open("a") as file:
        file.write("u1,,2026-03-01T00:00:00Z\n")
    imported(paths, tmp_path / "shop")
    found = dataset_stats(paths).to_json()
    facts = found["facts"]
    assert (facts["events"], facts["users"], facts["items"], facts["days"]) == (6, 3, 2, 2.0)
    assert facts["density"] == 1.0  # each of three users bought each of two items
    assert facts["repeated_share"] == 0.0
    assert found["kinds"] == [{"kind": "purchase", "events": 6, "share": 1.0}]
    assert found["quantiles"][0]["median"] == 2
    example = "e.csv, row 8: i = None names no item"
    assert found["refused"] == [{"table": "events", "reason": "missing_item", "rows": 1, "example": example}]
    json.dumps(found, default=str)
