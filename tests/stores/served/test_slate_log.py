"""Served slates on disk: whole lines, bounded, and never in the way."""

from datetime import UTC, datetime
from pathlib import Path

import orjson

from recsys.funnel.slate import FeatureStatus, Reason, Slate, SlateItem
from recsys.stores.served.rotating_log import FILES, RotatingLog
from recsys.stores.served.slate_log import slate_log

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def slate(number: int) -> Slate:
    item = SlateItem(
        1, "apple", "Apple", "fruit", 1_000_000, 0.5, 0.1, "dense", Reason("for_you", "picked", {})
    )
    status = FeatureStatus("ranking_v1", None, {})
    return Slate(f"r{number}", "ann", "bundle-1", NOW, (item,), 9, status, False, ())


def lines(folder: Path) -> list[dict]:
    return [
        orjson.loads(line)
        for file in sorted(folder.glob("*.jsonl"))
        for line in file.read_bytes().splitlines()
    ]


def written(
    folder: Path, count: int, max_bytes: int, share: float = 1.0, draw: float = 0.5
) -> RotatingLog[Slate]:
    log = slate_log(folder, max_bytes, share, lambda: draw)
    for number in range(count):
        log.append(slate(number))
    log.close()
    return log


def test_a_slate_is_one_line_with_ids_positions_and_scores(tmp_path: Path) -> None:
    written(tmp_path / "served", 1, 1_000_000)
    (line,) = lines(tmp_path / "served")
    assert (line["request_id"], line["user_id"], line["bundle_id"]) == ("r0", "ann", "bundle-1")
    assert datetime.fromisoformat(line["at"]) == NOW
    assert line["items"] == [
        {
            "item_id": "apple",
            "position": 1,
            "score": 0.5,
            "p_click": 0.1,
            "price_micros": 1_000_000,
            "source": "dense",
        }
    ]


def test_only_a_share_is_kept(tmp_path: Path) -> None:
    written(tmp_path / "a", 10, 1_000_000, share=0.4, draw=0.5)
    written(tmp_path / "b", 10, 1_000_000, share=0.6, draw=0.5)
    written(tmp_path / "c", 10, 0)
    assert [len(lines(tmp_path / name)) for name in "abc"] == [0, 10, 0]


def test_a_restart_goes_on_and_the_oldest_files_go(tmp_path: Path) -> None:
    size = len(orjson.dumps(slate(0)))
    for _ in range(3 * FILES):
        written(tmp_path, 4, max_bytes=FILES * 2 * size)
    files = list(tmp_path.glob("*.jsonl"))
    assert len(files) == FILES
    assert len(lines(tmp_path)) < 3 * FILES * 4


def test_a_disk_that_refuses_costs_records_not_answers(tmp_path: Path) -> None:
    (tmp_path / "served").write_text("a file where the folder should be")
    assert written(tmp_path / "served", 3, 1_000_000).dropped == 3
