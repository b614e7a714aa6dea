"""The latest skew audit on disk, and what it says about promotion."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from recsys.documents import JsonObject
from recsys.errors import ArtifactError, DataError
from recsys.features.skew import FeatureSkew, Staleness
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import save_text

AUDIT_FILE = "audit.json"


@dataclass(frozen=True)
class SkewAudit:
    """What one audit found.

    Attributes:
        at: when it ran. requests: snapshots looked at. rows: rows compared.
        late: rows that differ only by events that arrived after they were served.
        mismatched: values; compared: values.
        worst_share: the largest share of mismatched values of any feature.
        damaged: lines of the log that could not be read. unknown: rows of views or without any feature
            that the feature store has today.
    """

    at: datetime
    requests: int
    rows: int
    late: int
    compared: int
    mismatched: int
    worst_share: float
    threshold: float
    passed: bool
    damaged: int
    unknown: int
    features: tuple[FeatureSkew, ...]
    staleness: tuple[Staleness, ...]

    def to_json(self) -> JsonObject:
        """The document that is stored and that `recsys features audit --json` prints."""
        return asdict(self) | {"at": self.at.isoformat()}


@dataclass(frozen=True)
class AuditReport:
    """An audit, and the file that holds it."""

    audit: SkewAudit
    file: Path

    def to_json(self) -> JsonObject:
        """The audit's own document."""
        return self.audit.to_json()


def save_audit(paths: HomePaths, audit: SkewAudit) -> Path:
    """Replaces the report of the latest audit; returns where it is.

    Raises:
        StoreUnavailableError: the disk refused.
    """
    file = paths.reports / AUDIT_FILE
    save_text(file, json.dumps(audit.to_json(), indent=2, ensure_ascii=False) + "\n")
    return file


def check_audit(paths: HomePaths) -> None:
    """Raises ArtifactError where the latest audit failed; a home that was never audited passes.

    Raises:
        DataError: the report cannot be read.
    """
    file = paths.reports / AUDIT_FILE
    if not file.exists():
        return
    try:
        found = json.loads(file.read_text("utf-8"))
        passed, at = bool(found["passed"]), datetime.fromisoformat(found["at"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be read: {error}. Run `recsys features audit` again.") from error
    if passed:
        return
    worst = max(found["features"], key=lambda feature: feature["share"])
    raise ArtifactError(
        f"the skew audit of {at:%Y-%m-%d %H:%M} failed: {found['mismatched']} of {found['compared']} served "
        f"values differ, {worst['feature']} the most ({worst['share']:.1%}), see {file}. Mend the cause and "
        "run `recsys features audit` again, or pass --skip-audit with your reason."
    )
