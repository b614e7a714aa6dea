"""The latest skew audit on disk, and what it says about promotion."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.errors import ArtifactError, DataError
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import save_text

if TYPE_CHECKING:
    from recsys.jobs.audit.skew import Audit

AUDIT_FILE = "audit.json"


def save_audit(paths: HomePaths, audit: "Audit") -> Path:
    """Replaces the report of the latest audit; returns where it is.

    Raises:
        StoreUnavailableError: the disk refused.
    """
    file = paths.reports / AUDIT_FILE
    save_text(file, json.dumps(audit_document(audit), indent=2, ensure_ascii=False) + "\n")
    return file


def audit_document(audit: "Audit") -> dict[str, Any]:
    """`audit` as JSON takes it."""
    return asdict(audit) | {"at": audit.at.isoformat()}


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
