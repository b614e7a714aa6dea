"""The skew audit on a real home: real lake, real Feast, rows served by the packed store of a real server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from recsys import columns
from recsys.cli import features as features_command
from recsys.cli.models import models as models_command
from recsys.config import Settings, load_settings
from recsys.dataset.schemas import EVENT_SCHEMA, ITEM_SCHEMA
from recsys.errors import ArtifactError, DataError
from recsys.funnel.snapshot import FeatureSnapshot, snapshot_line
from recsys.instants import to_micros
from recsys.jobs.audit.report import check_audit
from recsys.jobs.audit.skew import audit_features
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.features.online_reader import FeatureReader
from recsys.stores.lake.dataset_files import save_items
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.redis import server as redis_server
from recsys.stores.registry.registry import Registry
from recsys.stores.served.snapshot_files import read_snapshots
from tests.tiny_bundle import tiny_bundle

START = datetime(2025, 5, 1, 12, tzinfo=UTC)
NOW = START + timedelta(days=5)
ITEMS = ("tea", "mug", "oil")

pytestmark = pytest.mark.filterwarnings(
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)


def events(*rows: tuple[int, str, str, str, float]) -> pa.Table:
    """(sequence, kind, user, item or the query of a search, days after the start)."""
    table = [
        {
            columns.EVENT_ID: f"e{sequence}",
            columns.KIND: kind,
            columns.USER_ID: user,
            (columns.QUERY if kind == columns.SEARCH else columns.ITEM_ID): item,
            columns.AT: START + timedelta(days=days),
            columns.SEQUENCE: sequence,
            columns.VALUE_MICROS: 2_500_000 if kind == columns.PURCHASE else None,
            columns.WEIGHT: 1.0,
        }
        for sequence, kind, user, item, days in rows
    ]
    return pa.Table.from_pylist(table, schema=EVENT_SCHEMA)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with ten events and two searches, its features applied and materialized into its own server."""
    home = tmp_path_factory.mktemp("home")
    given = {"RECSYS_HOME": str(home), "RECSYS_SERVING__FEATURE_TIMEOUT_SECONDS": "30"}
    settings = load_settings(given, start=Path(__file__).parents[3])
    items = [
        {
            columns.ITEM_ID: name,
            columns.TITLE: name,
            columns.TEXT: name,
            columns.CATEGORY: "drinks",
            columns.PRICE_MICROS: 1_000_000,
            columns.AVAILABLE: True,
            columns.ATTRIBUTES: "{}",
            columns.AT: START,
        }
        for name in ITEMS
    ]
    save_items(settings.paths, pa.Table.from_pylist(items, schema=ITEM_SCHEMA))
    kinds = (columns.VIEW, columns.CLICK, columns.IMPRESSION, columns.PURCHASE, columns.CART)
    rows = [(n, kinds[n % 5], ("ann", "bob")[n % 2], ITEMS[n % 3], n / 3) for n in range(10)]
    searches = [(10, columns.SEARCH, "ann", "Green tea", 1.0), (11, columns.SEARCH, "ann", "mug", 2.0)]
    EventLake(settings.paths.lake).append(events(*rows, *searches))
    build_features(settings, with_text=False, now=NOW)
    features = OfflineFeatures(settings)
    features.apply()
    redis_server.start_server(settings)
    features.materialize(NOW)
    yield settings
    redis_server.stop_server(settings)


@pytest.fixture
def served(shop: Settings) -> Iterator[Settings]:
    """The shop after two answers, whose snapshots were read from the online store; no report yet."""
    reader = FeatureReader.open(shop, columns.RANKING_SERVICE, columns.SEARCH_SERVICE)
    lines = [snapshot(reader, request, user) for request, user in (("r1", "ann"), ("r2", "bob"))]
    write(shop, lines)
    lake = set(shop.paths.lake.parent.rglob("*.parquet"))
    yield shop
    added = set(shop.paths.lake.parent.rglob("*.parquet")) - lake
    for file in (*shop.paths.served.glob("*"), *shop.paths.reports.glob("*"), *added):
        file.unlink()


def snapshot(reader: FeatureReader, request: str, user: str) -> dict[str, Any]:
    """The line that the service logs."""
    ids = np.array(ITEMS, object)
    used = FeatureSnapshot(request, NOW, "b1", user, reader.read_user(user), ids, reader.read_items(ITEMS))
    line: dict[str, Any] = orjson.loads(orjson.dumps(snapshot_line(used)))
    return line


def write(settings: Settings, lines: list[dict[str, Any]]) -> None:
    settings.paths.served.mkdir(parents=True, exist_ok=True)
    file = settings.paths.served / "features-000001.jsonl"
    file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def lines_of(settings: Settings) -> list[dict[str, Any]]:
    file = settings.paths.served / "features-000001.jsonl"
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Any]:
    monkeypatch.setenv("RECSYS_HOME", str(settings.paths.home))
    monkeypatch.chdir(settings.root)
    result = CliRunner().invoke(features_command.app, ["audit", *arguments, "--json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


def test_what_the_online_store_served_is_what_the_lake_says(
    served: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, report = command(served, monkeypatch)
    assert (code, report["passed"], report["mismatched"]) == (0, True, 0)
    # Two requests, each a user of two views and three items of two; and Ann searched.
    assert (report["requests"], report["rows"]) == (2, 2 * (2 + 3 * 2) + 1)
    assert report["compared"] > 200
    assert {view["view"] for view in report["staleness"]} == {
        columns.USER_ACTIVITY,
        columns.USER_HISTORY,
        columns.USER_SEARCHES,
        columns.ITEM_ENGAGEMENT,
        columns.ITEM_CONTENT,
    }
    assert all(view["behind"] == 0 for view in report["staleness"])
    check_audit(served.paths)


def test_a_tampered_value_is_reported_with_its_request_and_fails(
    served: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(served)
    views = lines[1]["items"][0]["views"][columns.ITEM_ENGAGEMENT]["values"]
    views["item_view_count_7d"] += 2
    write(served, lines)
    code, report = command(served, monkeypatch)
    assert (code, report["passed"], report["mismatched"]) == (1, False, 1)
    (wrong,) = [feature for feature in report["features"] if feature["mismatched"]]
    assert (wrong["feature"], wrong["compared"], wrong["max_difference"]) == ("item_view_count_7d", 6, 2.0)
    (example,) = wrong["examples"]
    assert (example["request_id"], example["entity_id"]) == ("r2", "tea")
    assert example["served"] == example["recomputed"] + 2
    assert command(served, monkeypatch, "--threshold", "0.2")[0] == 0  # 1 of 6 is allowed


def test_a_query_that_was_not_asked_is_skew_and_one_that_came_late_is_not(served: Settings) -> None:
    after = to_micros(NOW + timedelta(hours=1))
    EventLake(served.paths.live).append(events((after, columns.SEARCH, "ann", "oil", 1.5)))
    report = audit_features(served, 10, 0.0, NOW)
    assert (report.passed, report.mismatched) == (True, 0)
    assert report.late > 0
    lines = lines_of(served)
    texts = lines[0]["user"][columns.USER_SEARCHES]["values"][columns.SEARCH_TEXTS]
    assert texts == ["mug", "green tea"]
    texts[0] = "jug"
    write(served, lines)
    wrong = audit_features(served, 10, 0.0, NOW).features
    assert columns.SEARCH_TEXTS in {each.feature for each in wrong if each.mismatched}


def test_promotion_refuses_after_a_failed_audit_unless_told_why_not(
    served: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tiny_bundle("candidate-1", services={})
    with Registry.open(served) as registry:
        registry.register(bundle.manifest, save_bundle(bundle, served.paths.bundles))
    lines = lines_of(served)
    lines[0]["user"][columns.USER_ACTIVITY]["values"][columns.ACTIVE_DAYS] = 77
    write(served, lines)
    assert command(served, monkeypatch)[0] == 1
    with pytest.raises(ArtifactError, match=r"audit of .* failed: 1 of .*active_days_90d.*--skip-audit"):
        CliRunner().invoke(models_command.app, ["promote", "candidate-1"], catch_exceptions=False)
    told = ["promote", "candidate-1", "--skip-audit", "a known sensor fault"]
    assert CliRunner().invoke(models_command.app, told, catch_exceptions=False).exit_code == 0
    with Registry.open(served) as registry:
        assert "audit skipped: a known sensor fault" in registry.history("candidate-1")[-1].changed_by


def test_an_event_that_came_after_the_answer_is_lateness_and_not_skew(served: Settings) -> None:
    # The newest rows of ann and tea are of days 8/3 and 3: this event is before them and was processed after.
    after = to_micros(NOW + timedelta(hours=1))
    EventLake(served.paths.live).append(events((after, columns.VIEW, "ann", "tea", 2.1)))
    report = audit_features(served, 10, 0.0, NOW)
    assert (report.passed, report.mismatched) == (True, 0)
    assert report.late > 0
    lines = lines_of(served)
    lines[0]["user"][columns.USER_ACTIVITY]["values"][columns.ACTIVE_DAYS] = 77
    write(served, lines)
    assert audit_features(served, 10, 0.0, NOW).mismatched > 0


def test_an_event_that_was_processed_long_before_the_answer_and_is_missing_is_skew(served: Settings) -> None:
    before = to_micros(NOW - timedelta(minutes=1))
    EventLake(served.paths.live).append(events((before, columns.VIEW, "ann", "tea", 2.1)))
    report = audit_features(served, 10, 0.0, NOW)
    assert not report.passed
    wrong = {feature.feature for feature in report.features if feature.mismatched}
    assert {"view_count_7d", columns.HISTORY_ITEMS, "item_view_count_90d"} <= wrong


def test_events_in_flight_at_the_answer_may_be_missing_from_either_worker(served: Settings) -> None:
    taken = to_micros(NOW - timedelta(milliseconds=300))  # by one worker, and a little later by another
    rows = [(taken, columns.VIEW, "ann", "tea", 2.1), (taken + 9, columns.CLICK, "bob", "tea", 2.2)]
    EventLake(served.paths.live).append(events(*rows))
    report = audit_features(served, 10, 0.0, NOW)
    assert (report.passed, report.mismatched) == (True, 0)
    # What one of them had made visible is in the row: the other's alone is missing.
    lines = lines_of(served)
    for line in lines:
        views = line["items"][0]["views"][columns.ITEM_ENGAGEMENT]["values"]
        for days in (7, 30, 90):
            views[f"item_view_count_{days}d"] += 1
        for days in (7, 30):
            assert views[f"item_click_count_{days}d"] == 1
        views[columns.ITEM_CONVERSION] = views["item_purchase_count_30d"] / (views["item_view_count_30d"] + 1)
    write(served, lines)
    report = audit_features(served, 10, 0.0, NOW)
    assert report.mismatched == 0
    assert report.late > 0


def test_rows_older_than_the_lake_are_behind_though_they_are_right(served: Settings) -> None:
    lines = lines_of(served)
    late = NOW - timedelta(hours=1)
    for line in lines:
        line["at"] = (NOW + timedelta(days=3)).isoformat()
    write(served, lines)
    EventLake(served.paths.lake).append(events((200, columns.VIEW, "ann", "oil", 5 - 1 / 24)))
    report = audit_features(served, 10, 0.0, NOW)
    assert report.mismatched == 0
    behind = {view.view: view for view in report.staleness}
    assert behind[columns.USER_HISTORY].behind == 1
    ann = lines[0]["user"][columns.USER_HISTORY]["event_at"]
    assert behind[columns.USER_HISTORY].lag["max"] == late.timestamp() - ann / 1e6
    assert behind[columns.USER_HISTORY].overdue["max"] == 3 * 86_400 + 3_600


def test_the_newest_snapshots_are_taken_and_a_half_written_line_is_counted(tmp_path: Path) -> None:
    def line(request: str) -> bytes:
        found = {"request_id": request, "at": NOW.isoformat(), "bundle_id": "b", "user_id": None}
        return orjson.dumps({**found, "user": None, "items": [item]}) + b"\n"

    item = {"item_id": "tea", "views": {"item_content": {"event_at": 5, "values": {"item_key": 7}}}}
    (tmp_path / "features-000001.jsonl").write_bytes(line("r1") + line("r2"))
    (tmp_path / "features-000002.jsonl").write_bytes(line("r3") + b'{"request_id": "r4", "at"')
    found = read_snapshots(tmp_path, 2)
    assert [row.request_id for row in found.rows] == ["r3", "r2"]
    assert (found.requests, found.damaged) == (2, 1)
    assert found.rows[0].at == to_micros(NOW)


def test_without_snapshots_the_audit_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"serving\.snapshot_share"):
        audit_features(Settings(home=tmp_path), 10, 0.0, NOW)


def test_a_home_that_was_never_audited_may_promote_and_a_damaged_report_says_so(tmp_path: Path) -> None:
    paths = Settings(home=tmp_path).paths
    check_audit(paths)
    paths.reports.mkdir()
    (paths.reports / "audit.json").write_text("{}")
    with pytest.raises(DataError, match="recsys features audit"):
        check_audit(paths)
