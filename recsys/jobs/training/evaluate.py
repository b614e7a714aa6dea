"""A bundle beside its baselines: which bundle, all items ranked, and the report of it."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from recsys.atomic import replacing
from recsys.config import Settings
from recsys.dataset.interactions import EvalCases
from recsys.dataset.shop import ALL, Shop, check_holds_out
from recsys.dataset.split import known_before_test
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError, DataError
from recsys.evaluation.baselines import build_baselines, item_graph, reference_baseline
from recsys.evaluation.compare import VALIDATION_CHOOSES, Evaluation, cases_to_rank, evaluate_scorers
from recsys.evaluation.rankings import seen_of
from recsys.evaluation.reliability import Reliability, measure_reliability
from recsys.evaluation.report import table_rows, write_report
from recsys.evaluation.seeds import SeedStatistics, measure_over_seeds, seed_rows
from recsys.evaluation.slices import ALL_CASES
from recsys.evaluation.tables import kind_rows
from recsys.instants import utc_now
from recsys.jobs.preconditions import check_before_training, check_file_writable, check_folder_writable
from recsys.jobs.promotion.bundle_check import load_fitting
from recsys.jobs.training.retrain import check_retraining, chosen_scorer, seed_evaluations
from recsys.jobs.training.train import run_training
from recsys.models.orders import NO_HISTORY, kind_of
from recsys.progress import Progress
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.bundles.model_cards import save_evaluated_card
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.records import BundleRecord, EvaluationRecord
from recsys.stores.registry.registry import Registry
from recsys.training.kind_results import compare_by_history, evaluate_similar
from recsys.training.requests import labels_of
from recsys.training.scorers import RetrieverScorer, ServedScorer, bundle_scorers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation and its report.

    Attributes:
        seeds: what is served over several trainings; empty unless that was asked for.
        folder: of the report. report: the files in it.
    """

    bundle_id: str
    evaluation: Evaluation
    seeds: tuple[SeedStatistics, ...]
    folder: Path
    report: tuple[Path, ...]

    @property
    def rows(self) -> Sequence[JsonObject]:
        """One row a model."""
        return table_rows(self.evaluation)

    @property
    def kind_rows(self) -> Sequence[JsonObject]:
        """One row a kind of request, for people."""
        return kind_rows(self.evaluation)

    @property
    def seed_rows(self) -> Sequence[JsonObject]:
        """One row a slice: mean and deviation over seeds, for people."""
        return seed_rows(self.seeds)

    def to_json(self) -> JsonObject:
        """The verdict, the tables, and the report's files."""
        verdict = self.evaluation.verdict
        return {
            "bundle": self.bundle_id,
            "verdict": verdict.to_json() if verdict else None,
            "rows": self.rows,
            "kinds": [result.to_json() for result in self.evaluation.kinds],
            "report": [str(path) for path in self.report],
            "seeds": [asdict(row) for row in self.seeds],
        }


def evaluate_bundle(
    settings: Settings,
    protocol: str | None,
    bundle_id: str | None,
    progress: Progress,
    *,
    keep_seen: bool | None = None,
    validation_chooses: bool = False,
    seeds: int = 1,
    rankings: Path | None = None,
) -> EvaluationResult:
    """A bundle beside the baselines on what it never saw; writes a report. See `find_bundle` for which.

    Args:
        keep_seen: rank what a user had before too; None = where repeats are normal in the shop.
        validation_chooses: add the same training where validation events only choose.
        seeds: train with so many seeds in all.
        rankings: a Parquet file to write the bundle's lists to.

    Raises:
        ConfigError: `rankings` or the home cannot be written, or there is no feature repository.
        DataError: the data cannot take the protocol, or it is not known how the bundle was trained.
    """
    if rankings is not None:
        check_file_writable(rankings, "--rankings", makes_folders=False)
    check_before_training(settings)
    check_folder_writable(settings.paths.reports)
    shop = open_shop(settings.paths, progress)
    repeats = shop.info.repeats if keep_seen is None else keep_seen
    record = find_bundle(settings, shop, protocol, bundle_id, progress, repeats)
    if validation_chooses or seeds > 1:
        check_retraining(settings, record, validation_chooses)
    chosen = record if validation_chooses else None
    evaluation = run_evaluation(settings, shop, record.path, repeats, progress, chosen)
    by_seed = seed_evaluations(settings, shop, record, evaluation, seeds, progress)
    spread = measure_over_seeds(by_seed) if seeds > 1 else ()
    if rankings is not None:
        write_rankings(evaluation, shop, rankings)
    with progress("write report", None):
        folder, written = _write_reports(settings, shop, record, evaluation, spread)
    keep_figures(settings, record, evaluation)
    return EvaluationResult(record.bundle_id, evaluation, spread, folder, written)


def find_bundle(
    settings: Settings,
    shop: Shop,
    protocol: str | None,
    bundle_id: str | None,
    progress: Progress,
    repeats: bool,
) -> BundleRecord:
    """The bundle to evaluate: the one named, else the newest of the protocol, else one trained now.

    Where the settings say from when the test is, only a bundle that was trained so will do.

    Args:
        repeats: whether what a user had before counts; a protocol that leaves no case is not trained for.

    Raises:
        DataError: the named bundle held out nothing or was trained for another protocol or test, or the data
            cannot take the protocol.
    """
    if protocol is not None:
        check_holds_out(protocol)
    with Registry.open(settings) as registry:
        if bundle_id is not None:
            record = registry.get(bundle_id)
            if not _tests_from(record, settings):
                raise DataError(
                    f"bundle {bundle_id!r} was not trained for a test from "
                    f"{settings.evaluation.test_from:%Y-%m-%d %H:%M}. Leave out --test-from to test it as it "
                    "was trained, or train one with it."
                )
            if record.protocol == ALL or protocol not in (None, record.protocol):
                raise DataError(
                    f"bundle {bundle_id!r} was trained for the protocol {record.protocol!r}, so it has seen "
                    "what this evaluation would test. "
                    f"Use `recsys train --protocol {protocol or shop.default_protocol}`."
                )
            return record
        records = [r for r in registry.list_bundles() if r.dataset == shop.info.name and r.protocol != ALL]
    fitting = (record for record in records if protocol in (None, record.protocol))
    found = next((record for record in fitting if _tests_from(record, settings)), None)
    if found is not None:
        return found
    wanted = protocol or shop.default_protocol
    cases_to_rank(shop.training_split(wanted, settings.evaluation), shop.interactions, seen_of(repeats))
    log.info("no bundle was trained for %s yet: training one", wanted)
    manifest = run_training(settings, wanted, progress)
    with Registry.open(settings) as registry:
        return registry.get(manifest.bundle_id)


def _tests_from(record: BundleRecord, settings: Settings) -> bool:
    """Whether the bundle's test begins where the settings say, if they do."""
    wanted = settings.evaluation
    return (
        wanted.test_from is None or load_manifest(record.path).held_out(wanted).test_from == wanted.test_from
    )


def run_evaluation(
    settings: Settings,
    shop: Shop,
    path: Path,
    repeats: bool,
    progress: Progress,
    chosen: BundleRecord | None = None,
) -> Evaluation:
    """The bundle at `path` beside every baseline that the shop's data has the means for.

    Args:
        chosen: the bundle's record, to add a row of its training where validation events only choose.

    Raises:
        ArtifactMismatchError: the shop was imported anew since the bundle was trained.
    """
    features = OfflineFeatures(settings)
    with progress("load bundle", None):
        bundle = load_fitting(path, features)
    if bundle.items.vocabulary.ids != shop.interactions.items.ids:
        raise ArtifactMismatchError(
            f"bundle {bundle.manifest.bundle_id!r} knows {len(bundle.items) - 1} items, the shop has "
            f"{len(shop.interactions.items) - 1}, not the same. Run `recsys train` on the data of today."
        )
    split = shop.split(bundle.manifest.protocol, bundle.manifest.held_out(settings.evaluation))
    cases_to_rank(split, shop.interactions, seen_of(repeats))  # there is one, before anything is computed
    cases = split.test
    known = known_before_test(shop.interactions, split)
    ours = bundle_scorers(
        bundle, shop.interactions, cases, features, settings.serving.candidates, repeats, progress
    )
    graph = item_graph(known, progress)
    others = build_baselines(
        known,
        shop.interactions,
        clock=shop.info.clock == "time",
        repeats=repeats,
        texts=bundle.items.words_of_titles,
        text_vectors=bundle.text_vectors,
        graph=graph,
    )
    apart = [chosen_scorer(settings, shop, chosen, bundle, repeats, progress)] if chosen else []
    found = evaluate_scorers(
        [*others, *ours, *apart],
        replace(split, train=known),  # cold is what had few events for the model and the baselines
        shop.interactions,
        settings.evaluation,
        seen=seen_of(repeats),
        categories=bundle.items.categories,
        reference=reference_baseline(repeats),
        served=ours[-1].name,
        stages=[scorer.name for scorer in ours[:-1]],
        progress=progress,
    )
    baselines, asked = [scorer.name for scorer in others], settings.evaluation
    return replace(
        found,
        calibration=calibration_by_kind(ours[-1], found.cases, kind_of(repeats)),
        no_ranker=bundle.manifest.no_ranker,
        kinds=(
            *compare_by_history(bundle, shop.interactions, found, baselines, asked),
            *evaluate_similar(bundle, known, graph, shop.interactions, cases, asked, progress),
        ),
    )


def calibration_by_kind(
    served: RetrieverScorer | ServedScorer, cases: EvalCases, kind: str
) -> dict[str, Reliability]:
    """p_click of the candidates beside what came true, of users with a history (`kind`) and without one.

    Nothing where there is no ranker.
    """
    chances = served.probabilities(cases) if isinstance(served, ServedScorer) else None
    if chances is None:
        return {}
    candidates, p_click, known = chances
    found = {}
    for name, rows in ((kind, known), (NO_HISTORY, ~known)):
        shown = (candidates > 0) & rows[:, None]
        reliability = measure_reliability(p_click[shown], labels_of(cases, candidates)[shown])
        if reliability is not None:
            found[name] = reliability
    return found


def write_rankings(evaluation: Evaluation, shop: Shop, path: Path) -> None:
    """Writes the lists of the bundle's last stage, so that any other tool can score them."""
    ours = evaluation.rankings[evaluation.served]
    table = ours.table(shop.interactions.users, shop.interactions.items)
    try:
        with replacing(path) as partial:
            pq.write_table(table, partial)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error
    log.info("rankings of %r: %s, %d rows", evaluation.served, path, len(table))


def keep_figures(settings: Settings, record: BundleRecord, evaluation: Evaluation) -> None:
    """Writes what is served was worth on all cases into the registry, for `recsys models list`."""
    rows = (row for row in evaluation.rows if (row.model, row.slice) == (evaluation.served, ALL_CASES))
    found = EvaluationRecord(
        seen=evaluation.seen,
        protocol=evaluation.protocol,
        cases=len(evaluation.cases),
        metrics={row.metric: row.value for row in rows},
        verdict=evaluation.verdict.text if evaluation.verdict else None,
        evaluated_at=utc_now(),
    )
    with Registry.open(settings) as registry:
        registry.record_evaluation(record.bundle_id, found)


def _write_reports(
    settings: Settings,
    shop: Shop,
    record: BundleRecord,
    evaluation: Evaluation,
    spread: Sequence[SeedStatistics],
) -> tuple[Path, tuple[Path, ...]]:
    """Writes the report and the model card; the folder and what is in it now."""
    folder = settings.paths.reports / record.bundle_id
    if (evaluation.seen == "keep") != shop.info.repeats:
        folder = folder / f"seen-{evaluation.seen}"
    curves = sorted((settings.paths.runs / (record.run_id or "")).glob("*/curves.png"))
    title = f"{shop.info.name}: {record.bundle_id}"
    command = f"recsys evaluate --protocol {evaluation.protocol} --seen {evaluation.seen}"
    held_out = load_manifest(record.path).held_out(settings.evaluation)
    command += f" --test-from {held_out.test_from:%Y-%m-%dT%H:%M:%SZ}" if held_out.test_from else ""
    command += " --validation-chooses" if VALIDATION_CHOOSES in evaluation.models else ""
    command += f" --seeds {len(spread[0].values)}" if spread else ""
    written = write_report(
        evaluation, folder, title=title, learning_curves=curves, seeds=spread, command=command
    )
    return folder, (*written, save_evaluated_card(record.path, evaluation, folder))
