"""What a recommendation read is kept as it was: values, instants, and what was not there."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from recsys import columns
from recsys.funnel.online_features import FeatureRows
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.funnel.snapshot import SNAPSHOT_ITEMS, FeatureSnapshot, snapshot_line
from recsys.instants import to_micros
from recsys.service_settings import ServingSettings
from recsys.stores.served.answer_log import snapshot_log
from tests.fake_world import NOW, days_ago, regulars, shop_bundle


class Kept:
    """A SnapshotLog in memory."""

    def __init__(self) -> None:
        self.records: list[FeatureSnapshot] = []

    def append(self, record: FeatureSnapshot) -> None:
        self.records.append(record)


def snapshots(*users: str | None, away: bool = False, **features: Any) -> list[dict[str, Any]]:
    """One line for each recommendation."""
    source, kept = regulars(), Kept()
    source.away = away
    source.without_row = set(features.get("without_row", ()))
    shop = Recommender(shop_bundle(), source, ServingSettings(), kept)
    for number, user in enumerate(users):
        shop.recommend(RecommendRequest(f"r{number}", user), NOW)
    return [orjson.loads(orjson.dumps(snapshot_line(record))) for record in kept.records]


def test_a_snapshot_holds_the_rows_of_the_user_and_of_candidates() -> None:
    (line,) = snapshots("ann")
    assert (line["request_id"], line["user_id"], line["bundle_id"]) == ("r0", "ann", "bundle-1")
    assert datetime.fromisoformat(line["at"]) == NOW
    history = line["user"][columns.USER_HISTORY]
    assert history["event_at"] == to_micros(days_ago(2))
    assert set(history["values"]) == {columns.HISTORY_ITEMS, columns.HISTORY_KINDS, columns.HISTORY_AT}
    assert history["values"][columns.HISTORY_KINDS] == [columns.KIND_CODES[columns.PURCHASE]] * 3
    assert len({item["item_id"] for item in line["items"]}) == len(line["items"]) == 9
    content = line["items"][0]["views"][columns.ITEM_CONTENT]
    assert content["values"][columns.AVAILABLE] is True
    assert content["event_at"] == to_micros(days_ago(2))


def test_a_row_that_was_not_there_has_no_instant_and_no_values() -> None:
    nobody, visitor = snapshots("nobody", None, without_row=["apple"])
    assert nobody["user"][columns.USER_ACTIVITY] == {"event_at": None, "values": {}}
    assert visitor["user"] == {}
    (apple,) = [item for item in visitor["items"] if item["item_id"] == "apple"]
    assert apple["views"][columns.ITEM_CONTENT] == {"event_at": None, "values": {}}


def test_what_was_made_without_features_leaves_no_snapshot() -> None:
    assert snapshots("ann", away=True) == []


def test_floats_are_exact_arrays_whole_and_nulls_told_apart() -> None:
    tenth = np.float32(0.1)
    shares = np.empty(1, object)
    shares[0] = np.array([0.1, 0.9], np.float32)
    rows = FeatureRows(
        {"rate": np.array([tenth]), "shares": shares, "trend": np.array([np.nan], np.float32)},
        {"v": np.array([False])},
        {"v": np.array([7], np.int64)},
        dict.fromkeys(("rate", "shares", "trend"), "v"),
        {"trend": np.array([True])},
    )
    line = snapshot_line(FeatureSnapshot("r", NOW, "b", "u", rows, np.array(["i"], object), rows))
    values = orjson.loads(orjson.dumps(line))["user"]["v"]["values"]
    assert np.float32(values["rate"]) == tenth
    assert values["rate"] == float(tenth)
    assert np.array_equal(np.array(values["shares"], np.float32), shares[0])
    assert values["trend"] is None


def test_many_candidates_are_sampled_from_the_first_to_the_last() -> None:
    ids = np.array([f"i{number}" for number in range(500)], object)
    rows = FeatureRows({"f": np.arange(500)}, {"v": np.zeros(500, bool)}, {"v": np.arange(500)}, {"f": "v"})
    line = snapshot_line(FeatureSnapshot("r", NOW, "b", None, None, ids, rows))
    assert len(line["items"]) == SNAPSHOT_ITEMS
    assert (line["items"][0]["item_id"], line["items"][-1]["item_id"]) == ("i0", "i499")
    assert all(f"i{item['views']['v']['values']['f']}" == item["item_id"] for item in line["items"])


def test_snapshots_have_files_of_their_own(tmp_path: Path) -> None:
    log = snapshot_log(tmp_path, 1_000_000, 1.0, lambda: 0.5)
    Recommender(shop_bundle(), regulars(), ServingSettings(), log).recommend(
        RecommendRequest("r", "ann"), NOW
    )
    log.close()
    (file,) = tmp_path.glob("features-*.jsonl")
    assert orjson.loads(file.read_bytes())["request_id"] == "r"
