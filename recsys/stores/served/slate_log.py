"""What was served, as rotating JSON lines: slates with ids and scores, and a sample of their features."""

from collections.abc import Callable
from pathlib import Path

from recsys.documents import JsonObject
from recsys.funnel.slate import Slate
from recsys.funnel.snapshot import FeatureSnapshot, snapshot_line
from recsys.stores.served.rotating_log import RotatingLog

SLATES = "slates"
SNAPSHOTS = "features"
SNAPSHOTS_WAITING = 64  # each holds the rows of all candidates until it is written


def slate_log(folder: Path, max_bytes: int, share: float, draw: Callable[[], float]) -> RotatingLog[Slate]:
    """A SlateLog in `folder/slates-NNNNNN.jsonl`."""
    return RotatingLog(folder, SLATES, _line, max_bytes, share, draw)


def snapshot_log(
    folder: Path, max_bytes: int, share: float, draw: Callable[[], float]
) -> RotatingLog[FeatureSnapshot]:
    """A SnapshotLog in `folder/features-NNNNNN.jsonl`."""
    return RotatingLog(folder, SNAPSHOTS, snapshot_line, max_bytes, share, draw, SNAPSHOTS_WAITING)


def _line(slate: Slate) -> JsonObject:
    return {
        "request_id": slate.request_id,
        "at": slate.at,
        "user_id": slate.user_id,
        "bundle_id": slate.bundle_id,
        "cold_start": slate.cold_start,
        "degraded": slate.degraded,
        "items": [
            {
                "item_id": item.item_id,
                "position": item.position,
                "score": item.score,
                "p_click": item.p_click,
                "price_micros": item.price_micros,
                "source": item.source,
            }
            for item in slate.items
        ],
    }
