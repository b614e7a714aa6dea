"""The trained bundles: which there are, what one is and how it came to its stage, and its model card."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ArtifactError
from recsys.evaluation.model_card import render_card
from recsys.evaluation.tables import metric_name
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.bundles.model_cards import load_card
from recsys.stores.bundles.search_files import load_match_threshold
from recsys.stores.registry.records import BundleRecord, EvaluationRecord, StageChange
from recsys.stores.registry.registry import Registry

_SEEN = ("keep", "remove")
_SHOWN = ("ndcg@10", "hr@10", "recall@100")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BundleFacts:
    """What the registry knows of a bundle."""

    record: BundleRecord

    def to_json(self) -> JsonObject:
        """All of it."""
        record = self.record
        return {
            "bundle_id": record.bundle_id,
            "stage": record.stage,
            "dataset": record.dataset,
            "protocol": record.protocol,
            "created_at": record.created_at,
            "promoted_at": record.promoted_at,
            "run_id": record.run_id,
            "path": str(record.path),
            "metrics": record.metrics,
            "evaluations": {
                seen: asdict(record.evaluations[seen]) if seen in record.evaluations else None
                for seen in _SEEN
            },
        }

    def to_table(self) -> Mapping[str, str]:
        """A row for people: the figures of each test below each other, `-` where there was none."""
        record = self.record
        tests = list(record.evaluations.values())
        figures = {  # a test takes two lines, its figures the first of them
            metric_name(name).replace("@", "\n@"): "\n\n".join(_figure(test, name) for test in tests) or "-"
            for name in _SHOWN
        }
        return {
            "id": record.bundle_id,
            "stage": record.stage,
            **figures,
            "test": "\n".join(
                f"{test.protocol}, {test.seen}\n{test.cases:,} cases, {test.evaluated_at:%Y-%m-%d}"
                for test in tests
            )
            or "not evaluated",
        }


def _figure(test: EvaluationRecord, metric: str) -> str:
    return f"{test.metrics[metric]:.4f}" if metric in test.metrics else "-"


@dataclass(frozen=True)
class BundleDescription:
    """A bundle with its manifest and every change of its stage.

    Attributes:
        manifest: what the registry does not know; empty where it cannot be read.
    """

    record: BundleRecord
    manifest: Mapping[str, Any]
    changes: tuple[StageChange, ...]

    @property
    def facts(self) -> JsonObject:
        """The registry's facts and the manifest's."""
        return {**BundleFacts(self.record).to_json(), **self.manifest}

    @property
    def history(self) -> list[Mapping[str, str | None]]:
        """One row a change of stage."""
        return [
            {
                "at": change.changed_at.isoformat(timespec="seconds"),
                "action": change.action,
                "from": change.from_stage,
                "to": change.to_stage,
                "by": change.changed_by,
            }
            for change in self.changes
        ]

    def to_json(self) -> JsonObject:
        """The facts and the history."""
        return {**self.facts, "history": self.history}


@dataclass(frozen=True)
class ModelCard:
    """A bundle's model card, with its test where it was evaluated."""

    card: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The card as Markdown."""
        return render_card(self.card)

    def to_json(self) -> JsonObject:
        """The card as it is stored."""
        return self.card


def list_bundles(settings: Settings) -> list[BundleFacts]:
    """All bundles of the home, newest first."""
    with Registry.open(settings) as registry:
        return [BundleFacts(record) for record in registry.list_bundles()]


def describe_bundle(settings: Settings, bundle_id: str) -> BundleDescription:
    """What the bundle is; without its files, what the registry knows.

    Raises:
        ArtifactNotFoundError: there is no such bundle.
    """
    with Registry.open(settings) as registry:
        record = registry.get(bundle_id)
        changes = tuple(registry.history(bundle_id))
    return BundleDescription(record, _manifest_facts(record), changes)


def model_card(settings: Settings, bundle_id: str) -> ModelCard:
    """The bundle's card; see `load_card` for where it is found.

    Raises:
        ArtifactNotFoundError: there is no such bundle.
    """
    with Registry.open(settings) as registry:
        record = registry.get(bundle_id)
    return ModelCard(load_card(record.path, settings.paths.reports / bundle_id))


def _manifest_facts(record: BundleRecord) -> Mapping[str, Any]:
    try:
        manifest = load_manifest(record.path)
        threshold = load_match_threshold(record.path, manifest)
    except ArtifactError as error:  # the registry's facts are worth showing without the files
        log.warning("%s", error)
        return {}
    facts = manifest.model_dump(exclude={"bundle_id", "metrics"})
    return facts if threshold is None else {**facts, "match_threshold": threshold.to_json()}
