"""Bundles from one home to another, and from one registry to another: train here, serve there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys import __version__
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ArtifactError, ArtifactNotFoundError, ConfigError
from recsys.jobs.preconditions import check_file_writable
from recsys.jobs.promotion.bundle_facts import BundleFacts
from recsys.processes import current_user
from recsys.stores.bundles.archives import (
    ARCHIVE_FORMAT,
    ArchiveFacts,
    read_facts,
    unpack_archive,
    write_archive,
)
from recsys.stores.bundles.model_cards import CARD, CARD_TEXT
from recsys.stores.registry.records import BundleRecord
from recsys.stores.registry.registry import Registry

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportedBundle:
    """A bundle that was written to a file."""

    bundle_id: str
    file: Path
    bytes: int

    def to_json(self) -> JsonObject:
        """What `recsys models export` prints."""
        return {"bundle": self.bundle_id, "file": str(self.file), "bytes": self.bytes}


@dataclass(frozen=True)
class ImportedBundle:
    """A bundle that came from a file, as this registry knows it now."""

    record: BundleRecord

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a person should see."""
        tests = ", ".join(f"{test.protocol}, {seen}" for seen, test in self.record.evaluations.items())
        record = self.record
        return {
            "bundle": record.bundle_id,
            "stage": record.stage,
            "trained by": record.run_id,
            "tests": tests or "none",
            "path": str(record.path),
        }

    def to_json(self) -> JsonObject:
        """All that the registry knows of it."""
        return BundleFacts(self.record).to_json()


def export_bundle(settings: Settings, bundle_id: str, file: Path) -> ExportedBundle:
    """Writes a bundle with its run and its tests to one file.

    Raises:
        ArtifactNotFoundError: there is no such bundle.
        ArtifactMismatchError: it was changed since it was written.
        ConfigError: there is a file already, or the place cannot be written.
    """
    if file.exists():
        raise ConfigError(f"{file} is there already. Name another file, or delete it.")
    check_file_writable(file, "FILE", makes_folders=False)
    with Registry.open(settings) as registry:
        record = registry.get(bundle_id)
        run = registry.run(record.run_id) if record.run_id else None
    facts = ArchiveFacts(ARCHIVE_FORMAT, __version__, bundle_id, run, tuple(record.evaluations.values()))
    report = settings.paths.reports / bundle_id
    cards = [report / name for name in (CARD, CARD_TEXT) if (report / name).exists()]
    write_archive(file, record.path, facts, cards)
    return ExportedBundle(bundle_id, file, file.stat().st_size)


def import_bundle(settings: Settings, file: Path) -> ImportedBundle:
    """Takes the bundle of a file into this home and its registry, as a candidate; nothing is promoted.

    A bundle that the registry knows but whose files are not on this machine gets them.

    Raises:
        ArtifactMismatchError: the file is damaged, or of another format.
        ArtifactError: such a bundle is here already.
    """
    facts = read_facts(file)
    target = settings.paths.bundles / facts.bundle_id
    with Registry.open(settings) as registry:
        known = _known(registry, facts.bundle_id)
        if known is not None and (known.path.exists() or known.path != target):
            raise ArtifactError(
                f"bundle {known.bundle_id!r} is in this registry already ({known.stage}, at {known.path}). "
                "Bundles never change: there is nothing to import."
            )
        manifest = unpack_archive(file, target, settings.paths.reports / facts.bundle_id)
        if known is None:
            by = f"{current_user()} (imported)"
            run_id = facts.run.run_id if facts.run else None
            known = registry.register(manifest, target, run_id, by, run=facts.run, tests=facts.evaluations)
        else:
            log.info("the registry knew %s already; its files are here now", known.bundle_id)
    _warn_of_encoder(manifest.encoder)
    return ImportedBundle(known)


def _known(registry: Registry, bundle_id: str) -> BundleRecord | None:
    try:
        return registry.get(bundle_id)
    except ArtifactNotFoundError:
        return None


def _warn_of_encoder(encoder: str) -> None:
    """Says that new texts cannot be encoded where the encoder is a folder that did not come along."""
    if Path(encoder).is_absolute() and not Path(encoder).exists():
        log.warning(
            "the bundle was trained with the text encoder %s, which is not on this machine: copy it there "
            "before items with new texts are imported or sent",
            encoder,
        )
