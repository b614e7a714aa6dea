"""Which bundle serves: promoted by name, by comparison with the one in production, or rolled back."""

import logging
from dataclasses import asdict, dataclass

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ArtifactNotFoundError, DataError
from recsys.evaluation.promotion_test import Comparison
from recsys.jobs.audit.report import check_audit
from recsys.jobs.promotion.bundle_check import check_bundle
from recsys.jobs.promotion.bundle_facts import BundleFacts
from recsys.jobs.promotion.compare import compare_bundles
from recsys.processes import current_user
from recsys.progress import Progress
from recsys.stores.registry.records import BundleRecord
from recsys.stores.registry.registry import Registry

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Promotion:
    """The bundle that serves now and the one that served before, None if none did."""

    after: BundleRecord
    before: BundleRecord | None

    @property
    def unchanged(self) -> bool:
        """Whether the bundle was in production already."""
        return self.before is not None and self.before.bundle_id == self.after.bundle_id

    @property
    def replaced(self) -> str | None:
        """The bundle that gave way."""
        return self.before.bundle_id if self.before and not self.unchanged else None

    def to_json(self) -> JsonObject:
        """The bundle in production, and what it replaced."""
        return {**BundleFacts(self.after).to_json(), "replaced": self.replaced}


@dataclass(frozen=True)
class PromotionDecision:
    """Whether a candidate was promoted, and why.

    Attributes:
        production_id: the bundle that served before. comparison: with it. None if there was none.
    """

    candidate_id: str
    production_id: str | None
    comparison: Comparison | None

    @property
    def promoted(self) -> bool:
        """Whether the candidate serves now."""
        return self.comparison is None or self.comparison.promote

    @property
    def reason(self) -> str:
        """In words, with the numbers."""
        return self.comparison.reason if self.comparison else "nothing was in production"

    @property
    def facts(self) -> JsonObject:
        """The decision without the comparison's numbers."""
        return {
            "candidate_id": self.candidate_id,
            "production_id": self.production_id,
            "promoted": self.promoted,
            "reason": self.reason,
        }

    def to_json(self) -> JsonObject:
        """The decision and the comparison's numbers."""
        numbers = asdict(self.comparison) if self.comparison else {}
        return {
            **self.facts,
            **{name: value for name, value in numbers.items() if name not in ("promote", "reason")},
        }


def promote_bundle(
    settings: Settings, bundle_id: str, *, force: bool = False, skip_audit: str | None = None
) -> Promotion:
    """Puts a bundle into production once it loads and fits today's features and the skew audit.

    Args:
        force: do not compare the feature schema.
        skip_audit: the reason to promote though the latest audit failed.

    Raises:
        ArtifactError: there is no such bundle, it does not load or fit, or the audit failed.
    """
    with Registry.open(settings) as registry:
        check_loadable(registry.get(bundle_id), settings, force=force)
        changed_by = current_user() + audit_remark(settings, skip_audit)
        before = registry.production()
        return Promotion(registry.promote(bundle_id, changed_by=changed_by), before)


def rollback_bundle(settings: Settings, *, force: bool = False) -> Promotion:
    """Puts the bundle before the last promotion back into production, after the same checks of it.

    Raises:
        ArtifactError: there is none, or it does not load or fit.
    """
    with Registry.open(settings) as registry:
        target = registry.previous()
        if target is not None:
            check_loadable(target, settings, force=force)
        before = registry.production()
        expected = target.bundle_id if target else None
        return Promotion(registry.rollback(changed_by=current_user(), expected=expected), before)


def promote_candidate(
    settings: Settings,
    candidate_id: str | None,
    progress: Progress,
    *,
    epsilon: float | None = None,
    skip_audit: str | None = None,
) -> PromotionDecision:
    """Promotes a candidate that beats the bundle in production on what neither has seen.

    Args:
        candidate_id: None = the newest candidate.
        epsilon: promote unless it may be worse by more than this; None = if its mean is better.
        skip_audit: the reason to promote though the latest audit failed.

    Raises:
        ArtifactError: there is no candidate, it does not load or fit, or the audit failed.
        DataError: it is in production already, or there is too little to compare on.
    """
    with Registry.open(settings) as registry:
        candidate, production = find_candidate(registry, candidate_id), registry.production()
        changed_by = f"{current_user()}{audit_remark(settings, skip_audit)} (if better)"
        check_loadable(candidate, settings, force=False)
        comparison = None
        if production is not None:
            comparison = compare_bundles(settings, candidate, production, epsilon, progress)
        decision = PromotionDecision(
            candidate.bundle_id, production.bundle_id if production else None, comparison
        )
        if decision.promoted:
            registry.promote(candidate.bundle_id, changed_by=changed_by)
    return decision


def find_candidate(registry: Registry, bundle_id: str | None) -> BundleRecord:
    """The bundle to compare: the one named, else the newest candidate.

    Raises:
        ArtifactNotFoundError: none of that id, or no candidate at all.
        DataError: it is in production already.
    """
    if bundle_id is not None:
        chosen = registry.get(bundle_id)
        if chosen.stage == "production":
            raise DataError(f"{bundle_id!r} is in production already. Name a candidate.")
        return chosen
    found = [record for record in registry.list_bundles() if record.stage == "candidate"]
    if not found:
        raise ArtifactNotFoundError(
            "there is no candidate. Run `recsys train` or `recsys train --incremental`."
        )
    return found[0]


def check_loadable(bundle: BundleRecord, settings: Settings, *, force: bool) -> None:
    """Loads the bundle and compares its feature schema; logs what could not be checked.

    Raises:
        ArtifactError: it does not load or fit.
    """
    for unchecked in check_bundle(bundle.path, settings, schemas=not force):
        log.warning("%s", unchecked)


def audit_remark(settings: Settings, skip_audit: str | None) -> str:
    """What to note beside who promotes: nothing, or why the skew audit was skipped.

    Raises:
        ArtifactError: the latest audit failed and is not to be skipped.
    """
    if skip_audit is None:
        check_audit(settings.paths)
        return ""
    log.warning("the skew audit was skipped: %s", skip_audit)
    return f" (audit skipped: {skip_audit})"
