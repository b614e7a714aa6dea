"""What every promotion checks and notes, whoever decides on it."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import note
from recsys.config import Settings

if TYPE_CHECKING:
    from recsys.stores.registry.records import BundleRecord

SkipAudit = Annotated[
    str | None,
    typer.Option("--skip-audit", metavar="REASON", help="Promote though the skew audit failed; logged."),
]


def check(bundle: "BundleRecord", settings: Settings, force: bool) -> None:
    """Loads the bundle and compares its feature schema; notes what could not be checked."""
    from recsys.jobs.promotion.bundle_check import check_bundle

    for unchecked in check_bundle(bundle.path, settings, schemas=not force):
        note(f"warning: {unchecked}")


def audited(settings: Settings, skip_audit: str | None) -> str:
    """What to note beside who promotes; raises ArtifactError where the latest audit failed."""
    from recsys.jobs.audit.report import check_audit

    if skip_audit is None:
        check_audit(settings.paths)
        return ""
    note(f"warning: the skew audit was not asked: {skip_audit}")
    return f" (audit skipped: {skip_audit})"


def who() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
