"""`recsys models promote-if-better`: candidate and production on what neither has seen."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.models.promotion import SkipAudit, audited, check, who
from recsys.cli.output import bars, note, print_facts
from recsys.config import Settings, load_settings
from recsys.errors import ArtifactNotFoundError, DataError
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.arrays import DoubleArray
    from recsys.dataset.interactions import EvalCases
    from recsys.dataset.shop import Shop
    from recsys.evaluation.promotion_test import Comparison
    from recsys.models.manifest import Manifest
    from recsys.stores.features.offline import OfflineFeatures
    from recsys.stores.registry.records import BundleRecord
    from recsys.stores.registry.registry import Registry

CASES = 5000  # sampled where there are more


def promote_if_better(
    candidate: Annotated[
        str | None,
        typer.Argument(metavar="[CANDIDATE]", help="A bundle's id. Default: the newest candidate."),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            min=0, help="Promote unless it may be worse by more than this. Default: if its mean is better."
        ),
    ] = None,
    skip_audit: SkipAudit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Promote a candidate if it beats the bundle in production, and say why or why not.

    Both answer the same questions: users who acted after the newer of the two was trained, all items
    ranked, NDCG@10, with a paired bootstrap interval of the difference. Exits 0 either way.

    \b
    Example:
      recsys models promote-if-better
      recsys models promote-if-better shop-20250301-120000 --epsilon 0.002
    """
    from recsys.stores.registry.registry import Registry

    settings = load_settings()
    with Registry.open(settings) as registry:
        chosen, production = _chosen(registry, candidate), registry.production()
        by = who() + audited(settings, skip_audit)
        check(chosen, settings, force=False)
        verdict = None if production is None else _verdict(settings, chosen, production, epsilon, bars)
        promote = verdict is None or verdict.promote
        if promote:
            registry.promote(chosen.bundle_id, changed_by=f"{by} (if better)")
    facts: dict[str, Any] = {
        "candidate_id": chosen.bundle_id,
        "production_id": production.bundle_id if production else None,
        "promoted": promote,
        "reason": verdict.reason if verdict else "nothing was in production",
    }
    if as_json and verdict:
        facts |= {name: value for name, value in asdict(verdict).items() if name not in ("promote", "reason")}
    print_facts(facts, as_json=as_json, title="promote if better")


def _chosen(registry: "Registry", bundle_id: str | None) -> "BundleRecord":
    """The bundle to judge.

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


def _verdict(
    settings: Settings,
    candidate: "BundleRecord",
    production: "BundleRecord",
    epsilon: float | None,
    progress: Progress,
) -> "Comparison":
    import numpy as np

    from recsys.evaluation.promotion_test import judge
    from recsys.evaluation.slices import had_before, restrict
    from recsys.stores.bundles.bundles import load_manifest
    from recsys.stores.features.build import build_features
    from recsys.stores.features.offline import OfflineFeatures
    from recsys.stores.lake.shop import open_shop

    shop = open_shop(settings.paths)
    build_features(settings, progress, with_text=False)
    features = OfflineFeatures(settings)
    features.apply()
    cases = unseen_cases(shop, settings, load_manifest(candidate.path), load_manifest(production.path))
    if not shop.info.repeats:
        cases, _ = restrict(cases, ~had_before(cases, shop.interactions))
    rng = np.random.default_rng(settings.evaluation.seed)
    if len(cases) > CASES:
        cases = cases.take(np.sort(rng.choice(len(cases), CASES, replace=False)))
    if not len(cases):
        return judge(np.zeros(0), np.zeros(0), epsilon, settings.evaluation.bootstrap_samples, rng)
    ours, theirs = (
        _values(settings, shop, record, cases, features, progress) for record in (candidate, production)
    )
    return judge(ours, theirs, epsilon, settings.evaluation.bootstrap_samples, rng)


def unseen_cases(
    shop: "Shop", settings: Settings, candidate: "Manifest", production: "Manifest"
) -> "EvalCases":
    """Questions about what happened after both bundles' data: neither has learned from the answers.

    Raises:
        DataError: the data has no clock and the bundles did not hold out the same.
    """
    from recsys.dataset.split import LEAVE_ONE_OUT
    from recsys.training.requests import window_cases

    if {candidate.protocol, production.protocol} == {LEAVE_ONE_OUT}:
        return shop.split(LEAVE_ONE_OUT, settings.evaluation).test
    if shop.info.clock == "order" or LEAVE_ONE_OUT in (candidate.protocol, production.protocol):
        raise DataError(
            f"{candidate.bundle_id!r} was trained for {candidate.protocol!r} and {production.bundle_id!r} "
            f"for {production.protocol!r}: no question is new to both. Train the candidate with "
            f"--protocol {production.protocol}."
        )
    seen = max(candidate.data_end, production.data_end)
    start = round(seen.timestamp() * 1_000_000) + 1
    note(f"asked about: what happened after {datetime.fromtimestamp(start / 1e6, UTC):%Y-%m-%d %H:%M} UTC")
    return window_cases(shop.interactions, start, int(shop.interactions.at.max()) + 1)


def _values(
    settings: Settings,
    shop: "Shop",
    record: "BundleRecord",
    cases: "EvalCases",
    features: "OfflineFeatures",
    progress: Progress,
) -> "DoubleArray":
    """(U,) NDCG@10 of the bundle's last stage, as served."""
    from recsys.evaluation.promotion_test import TranslatedScorer, case_values, in_vocabulary
    from recsys.stores.bundles.bundles import load_bundle, load_manifest
    from recsys.training.scorers import bundle_scorers

    services = load_manifest(record.path).services
    bundle = load_bundle(record.path, {service: features.schema_hash(service) for service in services})
    known = in_vocabulary(shop.interactions, bundle.items.vocabulary)
    repeats = shop.info.repeats
    scorers = bundle_scorers(bundle, known, cases, features, settings.serving.candidates, repeats, progress)
    scorer = TranslatedScorer(scorers[-1], bundle.items.vocabulary, shop.interactions.items)
    return case_values(scorer, cases, shop.interactions, "keep" if repeats else "remove", progress)
