"""What was served, as rotating JSON lines: answers with ids and scores, and a sample of their features."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from recsys.documents import JsonObject
from recsys.funnel.served_answer import ServedAnswer, answer_line
from recsys.funnel.snapshot import FeatureSnapshot, snapshot_line
from recsys.stores.served.rotating_log import Lost, RotatingLog

ANSWERS = "slates"  # the files' name, from when only slates were kept
SNAPSHOTS = "features"
SNAPSHOTS_WAITING = 64  # each holds the rows of all candidates until it is written
LOST = "lost"  # the kind of a line that is no answer


def answer_log(
    folder: Path, max_bytes: int, share: float, draw: Callable[[], float]
) -> RotatingLog[ServedAnswer]:
    """An AnswerLog in `folder/slates-NNNNNN.jsonl`, which says in lines of its own what it lacks."""
    return RotatingLog(folder, ANSWERS, answer_line, max_bytes, share, draw, lost_line=_lost_line)


def snapshot_log(
    folder: Path, max_bytes: int, share: float, draw: Callable[[], float]
) -> RotatingLog[FeatureSnapshot]:
    """A SnapshotLog in `folder/features-NNNNNN.jsonl`."""
    return RotatingLog(folder, SNAPSHOTS, snapshot_line, max_bytes, share, draw, SNAPSHOTS_WAITING)


def _lost_line(lost: Lost) -> JsonObject:
    return {"kind": LOST, **asdict(lost)}


@dataclass(frozen=True)
class LostAnswers:
    """What one process did not log between two instants.

    Attributes:
        dropped: answers that the log had no room for, or that could not be written.
        left_out: answers outside the share that is kept.
    """

    since: datetime
    at: datetime
    dropped: int
    left_out: int


def lost_of_line(line: JsonObject) -> LostAnswers:
    """What a line of the kind LOST says.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    since, at = (datetime.fromisoformat(line[name]) for name in ("since", "at"))
    return LostAnswers(since, at, int(line["dropped"]), int(line["left_out"]))
