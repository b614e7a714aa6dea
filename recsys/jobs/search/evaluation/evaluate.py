"""`recsys search evaluate`: ways to search beside each other on judged queries, and the report of it."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.atomic import replacing
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ConfigError, DataError
from recsys.evaluation.search.compare import SearchEvaluation, SearchMeasure, evaluate_rows
from recsys.evaluation.search.judgments import PARTS, JudgedPairs, Judgments, judgments_on
from recsys.evaluation.search.report import write_search_report
from recsys.evaluation.search.rows import RankedLists
from recsys.evaluation.search.tables import difference_lines, half_sentence, search_headline, summary_rows
from recsys.evaluation.search.tables import search_json as evaluation_json
from recsys.jobs.preconditions import check_file_writable, check_folder_writable
from recsys.jobs.search.evaluation.evaluation_rows import BuiltRows, Learned, open_rows
from recsys.jobs.search.evaluation.learn_order import learn_order
from recsys.jobs.search.evaluation.sampled_queries import (
    clicked_sample,
    read_click_log,
    read_logged_queries,
    sample_queries,
)
from recsys.jobs.search.evaluation.served_row import open_served_row
from recsys.jobs.search.judged_files.judged_sets import (
    ReadingOptions,
    parse_grades,
    parse_words,
    read_judged_set,
)
from recsys.jobs.search.judged_files.ranking_files import read_rankings
from recsys.jobs.search.judged_files.searched_items import (
    SearchedItems,
    pool_of_titles,
    read_items_file,
    shop_items,
)
from recsys.progress import Progress, silent
from recsys.stores.bundles.search_files import read_search_ranker
from recsys.training.search.ranker import SearchRankerSettings

log = logging.getLogger(__name__)
LEARN, NO_ORDER = "learn", "none"


@dataclass(frozen=True)
class SearchTest:
    """What to measure on.

    Attributes:
        judgments, queries: files, see `read_judged_set`; None with `from_log`.
        from_log: so many queries of the shop's log, judged by its clicks.
        items: the file of the items; None = the shop's catalog, or the judged titles where they have no ids.
        reading: how the files are read.
        part: `test`, `train` or `all` queries. threshold: the lowest relevant grade; None = half way.
        encoder: None = the one of the settings. bundle: the id of a bundle, or `production`: what it serves
            is a row then, and the default.
        others: name -> file with rankings of another engine, and which row of it.
        order: the learned row's: LEARN, from the training queries of these judgments; NO_ORDER; or a folder
            that `recsys search train` wrote. None = LEARN where the part is `test`.
    """

    judgments: Path | None = None
    queries: Path | None = None
    from_log: int | None = None
    items: Path | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    part: str = "all"
    threshold: float | None = None
    worthless: float = 0.0
    cutoffs: tuple[int, ...] = (10, 100)
    encoder: str | None = None
    bundle: str | None = None
    others: Mapping[str, tuple[Path, str | None]] = field(default_factory=dict)
    order: str | None = None
    command: str = ""


@dataclass(frozen=True)
class SearchResult:
    """An evaluation of search and its report."""

    evaluation: SearchEvaluation
    notes: tuple[str, ...]
    report: tuple[Path, ...]

    @property
    def headline(self) -> str:
        """What was measured on."""
        return search_headline(self.evaluation)

    @property
    def rows(self) -> Sequence[JsonObject]:
        """One line a row, for people."""
        return summary_rows(self.evaluation)

    @property
    def difference_rows(self) -> Sequence[JsonObject]:
        """The default less each row, for people."""
        return difference_lines(self.evaluation)

    @property
    def sentences(self) -> list[str]:
        """The default beside the better of its halves."""
        return [half_sentence(self.evaluation.default, part) for part in self.evaluation.beside_halves]

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        report = [str(path) for path in self.report]
        return {**evaluation_json(self.evaluation), "notes": list(self.notes), "report": report}


def evaluate_search(
    settings: Settings, test: SearchTest, rankings: Path | None = None, progress: Progress = silent
) -> SearchResult:
    """Ranks the items for every judged query by each row, and writes a report.

    Args:
        rankings: a Parquet file to write the lists of all rows to.

    Raises:
        ConfigError: the test names no judgments, or a file cannot be written.
        DataError: a file is damaged, the items have none of the judged ones, or no query is left.
    """
    check_test(test)
    if rankings is not None:
        sources = [path for path in (test.judgments, test.queries, test.items) if path]
        check_file_writable(rankings, "--rankings", makes_folders=False, sources=sources)
    check_folder_writable(settings.paths.reports)
    items, judged, notes = open_test(settings, test)
    judgments, learned = judged.part(test.part), _learned(test, judged, progress)
    with open_rows(settings, items, test.encoder, _others(test, items), progress, learned) as built:
        if test.bundle is not None:
            served = open_served_row(settings, test.bundle, items.vocabulary)
            built = replace(built, rows=(*built.rows, served), default=served.name)
        evaluation = run_search_evaluation(settings, test, judgments, built, progress)
    if rankings is not None:
        write_rankings(evaluation, items, rankings)
    notes = (*notes, *built.notes)
    name = test.judgments.name if test.judgments else f"{test.from_log} queries of the log"
    folder = settings.paths.reports / "search" / _report_name(test)
    written = write_search_report(
        evaluation, folder, title=f"Search: {name}", notes=notes, command=test.command
    )
    return SearchResult(evaluation, notes, written)


def check_test(test: SearchTest) -> None:
    """Makes sure that the test can be, before anything is read.

    Raises:
        ConfigError: it names no judgments or two sources of them, no cutoff, or an unknown part.
    """
    if (test.judgments is None) == (test.from_log is None):
        raise ConfigError("pass --judgments FILE, or --from-log N for queries of the shop judged by clicks.")
    if test.from_log is not None and test.queries is not None:
        raise ConfigError("--queries are the texts of --judgments. Leave them out with --from-log.")
    if not test.cutoffs or min(test.cutoffs) < 1:
        raise ConfigError(
            f"--k {','.join(map(str, test.cutoffs))!r} are not places. Write for example 10,100."
        )
    if test.part not in PARTS:
        raise ConfigError(f"--split {test.part!r} is unknown. Use one of: {', '.join(PARTS)}.")


def open_test(settings: Settings, test: SearchTest) -> tuple[SearchedItems, Judgments, tuple[str, ...]]:
    """The items, all judgments of them, and notes; raises as `evaluate_search`."""
    pairs, titles = read_pairs(settings, test)
    if test.items is not None:
        items = read_items_file(test.items, test.reading.columns)
    elif titles and set(titles) >= set(pairs.pair_item) and _titles_are_items(titles):
        items = pool_of_titles(titles)
    else:
        items = shop_items(settings)
    return items, judgments_on(pairs, items.vocabulary), pairs.notes


def reading_options(columns: str | None, grades: str | None, least_shown: int) -> ReadingOptions:
    """How to read, from the texts of `--columns` and `--grades`.

    Raises:
        DataError: a part is not NAME=VALUE, or a grade not a number.
    """
    return ReadingOptions(parse_words("--columns", columns), parse_grades(grades), least_shown)


def parse_others(text: str | None) -> dict[str, tuple[Path, str | None]]:
    """Name -> file and row, of `--others`.

    Raises:
        DataError: a part is not NAME=FILE.

    >>> parse_others("old=lists.parquet:BM25,theirs=a.csv")
    {'old': (PosixPath('lists.parquet'), 'BM25'), 'theirs': (PosixPath('a.csv'), None)}
    """
    return {name: named_file(place) for name, place in parse_words("--others", text).items()}


def named_file(text: str) -> tuple[Path, str | None]:
    """A file and a row of it, from `FILE` or `FILE:row`."""
    file, _, row = text.rpartition(":")
    if file and not Path(text).exists():
        return Path(file), row
    return Path(text), None


def run_search_evaluation(
    settings: Settings, test: SearchTest, judgments: Judgments, built: BuiltRows, progress: Progress
) -> SearchEvaluation:
    """The rows on the judgments."""
    measure = SearchMeasure(
        threshold=judgments.middle_grade if test.threshold is None else test.threshold,
        cutoffs=test.cutoffs,
        worthless=test.worthless,
        samples=settings.evaluation.bootstrap_samples,
        seed=settings.evaluation.seed,
    )
    return evaluate_rows(built.rows, judgments, measure, built.default, built.halves, progress)


def write_rankings(evaluation: SearchEvaluation, items: SearchedItems, path: Path) -> None:
    """Writes the lists of all rows: row, query_id, query, item_id, rank (from 1), score.

    Raises:
        DataError: the file cannot be written.
    """
    judgments = evaluation.judgments
    table = pa.concat_tables(
        row.rankings.table(row.name, judgments.query_ids, judgments.queries, items.vocabulary)
        for row in evaluation.rows
    )
    try:
        with replacing(path) as partial:
            pq.write_table(table, partial)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error
    log.info("rankings of %d rows: %s, %d lines", len(evaluation.rows), path, len(table))


def read_pairs(settings: Settings, test: SearchTest) -> tuple[JudgedPairs, Mapping[str, str]]:
    """The judged pairs, and titles by item id where the judgments have them; raises as `evaluate_search`."""
    if test.judgments is not None:
        found = read_judged_set(test.judgments, test.queries, test.reading)
        return found.pairs, found.titles
    logged = read_logged_queries(settings)
    keys, sample = sample_queries(logged, test.from_log or 0, settings.evaluation.seed)
    return clicked_sample(logged, keys, sample, read_click_log(settings, logged), test.reading), {}


def _learned(test: SearchTest, judged: Judgments, progress: Progress) -> Learned | None:
    """What makes the ranker of the learned row; None where the table has no such row.

    Raises:
        ConfigError: it would learn from the queries that it is measured on.
        ArtifactMismatchError: the folder has no order.
    """
    order = test.order or (LEARN if test.part == "test" else NO_ORDER)
    if order == NO_ORDER:
        return None
    if order != LEARN:
        ranker = read_search_ranker(Path(order))
        return lambda catalog: ranker
    if test.part != "test":
        raise ConfigError(
            f"--order {LEARN} would be measured on queries that it learned from. Pass --split test too."
        )
    training = judged.part("train")
    chosen = SearchRankerSettings()
    return lambda catalog: learn_order(training, catalog, chosen, "train", progress)


def _titles_are_items(titles: Mapping[str, str]) -> bool:
    """Whether the judgments have titles and no ids, so that nothing else can be their catalog."""
    return all(item == title for item, title in titles.items())


def _others(test: SearchTest, items: SearchedItems) -> list[RankedLists]:
    return [read_rankings(name, path, items.vocabulary, row) for name, (path, row) in test.others.items()]


def _report_name(test: SearchTest) -> str:
    """A folder's name: of the file, and a few letters that tell two tests of one file apart."""
    name = test.judgments.name.split(".")[0] if test.judgments else f"log-{test.from_log}"
    said = repr(
        (
            test.judgments,
            test.queries,
            test.items,
            test.part,
            test.threshold,
            test.cutoffs,
            test.encoder,
            test.bundle,
            test.order,
        )
    )
    return f"{name}-{test.part}-{hashlib.sha256(said.encode()).hexdigest()[:6]}"
