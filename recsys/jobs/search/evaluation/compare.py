"""`recsys search compare`: two searches beside each other on judged or logged queries."""

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from recsys.arrays import DoubleArray
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ConfigError
from recsys.evaluation.intervals import format_difference
from recsys.evaluation.search.compare import SearchMeasure
from recsys.evaluation.search.judgments import Judgments
from recsys.evaluation.search.rankings import Rankings
from recsys.evaluation.search.rows import SearchRow
from recsys.evaluation.search.side_by_side import ChangedQuery, SideBySide, compare_rankings
from recsys.evaluation.search.tables import metric_label
from recsys.jobs.search.evaluation.evaluate import SearchTest, check_test, named_file, open_test
from recsys.jobs.search.evaluation.evaluation_rows import ROWS, RowSetting, open_row
from recsys.jobs.search.evaluation.sampled_queries import read_logged_queries, sample_queries
from recsys.jobs.search.evaluation.served_row import open_served_row
from recsys.jobs.search.judged_files.ranking_files import read_rankings
from recsys.jobs.search.judged_files.searched_items import SearchedItems, read_items_file, shop_items
from recsys.progress import Progress, silent

Side = RowSetting | str | tuple[Path, str | None]  # a bundle's id is a str
BUNDLE = "bundle:"
_SETTING = re.compile(r"([A-Za-z0-9 ]+)((?:,\w+=[^,]+)*)")


@dataclass(frozen=True)
class ShownList:
    """The first items of one query by both searches, with titles and grades."""

    change: ChangedQuery
    query: str
    lines: tuple[JsonObject, ...]

    def to_json(self) -> JsonObject:
        """For `--json`."""
        values = {name: None if math.isnan(value) else value for name, value in vars(self.change).items()}
        return {"query": self.query, **values, "places": list(self.lines)}


@dataclass(frozen=True)
class SearchComparison:
    """What `recsys search compare` found."""

    names: tuple[str, str]
    found: SideBySide
    gained: tuple[ShownList, ...]
    lost: tuple[ShownList, ...]
    changed: tuple[ShownList, ...]
    notes: tuple[str, ...]

    @property
    def facts(self) -> JsonObject:
        """How alike both are."""
        found = self.found
        return {
            "queries": found.queries,
            f"overlap@{found.k}": found.overlap,
            f"rank-biased overlap@{found.k}": found.rank_biased_overlap,
            "equal lists": found.same,
            f"nothing found by {self.names[0]}": found.empty[0],
            f"nothing found by {self.names[1]}": found.empty[1],
        }

    @property
    def rows(self) -> Sequence[JsonObject]:
        """One line a metric."""
        first, second = self.names
        return [
            {
                "metric": metric_label(part.metric),
                first: part.found.other,
                second: part.found.value,
                "difference": format_difference(part.found.difference, part.found.low, part.found.high),
                "verdict": part.found.outcome,
            }
            for part in self.found.differences
        ]

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            **self.facts,
            "metrics": list(self.rows),
            "gained": [each.to_json() for each in self.gained],
            "lost": [each.to_json() for each in self.lost],
            "changed": [each.to_json() for each in self.changed],
            "notes": list(self.notes),
        }


def compare_searches(
    settings: Settings,
    sides: tuple[str, str],
    test: SearchTest,
    *,
    unjudged: bool = False,
    show: int = 5,
    progress: Progress = silent,
) -> SearchComparison:
    """Both searches on the test's queries.

    Args:
        sides: each `FILE` or `FILE:row` of rankings, `bundle:ID` or `bundle:production`, or a row with
            settings: `weighted,weight=.7,encoder=NAME`.
        unjudged: `test.from_log` queries without judgments: how alike the lists are, weighted by demand.
        show: how many queries are shown with their items.

    Raises:
        ConfigError: a side is neither, or the test is none.
        DataError: a file is damaged, or no query is left.
    """
    chosen = [parse_side(side) for side in sides]
    if not unjudged:
        check_test(test)
    elif test.from_log is None:
        raise ConfigError("queries without judgments come from the log. Pass --from-log N.")
    judgments: Judgments | None = None
    weights: DoubleArray | None = None
    notes: tuple[str, ...] = ()
    if unjudged:
        items = read_items_file(test.items, test.reading.columns) if test.items else shop_items(settings)
        logged = read_logged_queries(settings)
        keys, sample = sample_queries(logged, test.from_log or 0, settings.evaluation.seed)
        queries: Sequence[str] = [logged.written[key] for key in keys]
        weights = sample.weights
    else:
        items, judged, notes = open_test(settings, test)
        judgments = judged.part(test.part)
        queries = judgments.queries
    measure = SearchMeasure(
        threshold=_threshold(test, judgments),
        cutoffs=test.cutoffs,
        worthless=test.worthless,
        samples=settings.evaluation.bootstrap_samples,
        seed=settings.evaluation.seed,
    )
    ranked = []
    for side in chosen:
        with _opened(settings, side, items, progress) as row:
            ranked.append(row.rank(queries, max(test.cutoffs)))
    found = compare_rankings(ranked[0], ranked[1], measure, judgments, weights, show)
    lists = _Lists(items, queries, (ranked[0], ranked[1]), sides, judgments, found.k)
    gained, lost, changed = (
        tuple(map(lists.shown, changes)) for changes in (found.gained, found.lost, found.changed)
    )
    return SearchComparison(sides, found, gained, lost, changed, notes)


def parse_side(text: str) -> Side:
    """A row with its settings, a bundle, or a file of rankings and a row of it.

    Raises:
        ConfigError: it is neither.

    >>> parse_side("weighted,weight=.7")
    RowSetting(row='weighted', weight=0.7, encoder=None)
    """
    if text.startswith(BUNDLE) and len(text) > len(BUNDLE):
        return text.removeprefix(BUNDLE)
    file, row = named_file(text)
    if file.is_file():
        return file, row
    match = _SETTING.fullmatch(text)
    names = {name.lower(): name for name in ROWS}
    if match is None or match[1].lower() not in names:
        raise ConfigError(
            f"{text!r} is neither a file of rankings nor one of: {', '.join(ROWS)}, {BUNDLE}ID."
        )
    given = dict(part.split("=", 1) for part in match[2].split(",")[1:])
    return RowSetting(
        names[match[1].lower()], _weight(text, given.pop("weight", None)), _encoder(text, given)
    )


def _weight(text: str, value: str | None) -> float:
    try:
        weight = 0.5 if value is None else float(value)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= 1:
        raise ConfigError(f"{text!r}: weight={value} is not a number from 0 to 1.")
    return weight


def _encoder(text: str, given: Mapping[str, str]) -> str | None:
    if set(given) - {"encoder"}:
        raise ConfigError(f"{text!r}: settings of a row are weight=NUMBER and encoder=NAME.")
    return given.get("encoder")


def _opened(
    settings: Settings, side: Side, items: SearchedItems, progress: Progress
) -> AbstractContextManager[SearchRow]:
    if isinstance(side, RowSetting):
        return open_row(settings, items, side, progress)
    if isinstance(side, str):
        return nullcontext(open_served_row(settings, side, items.vocabulary))
    return nullcontext(read_rankings(side[0].name, side[0], items.vocabulary, side[1]))


def _threshold(test: SearchTest, judgments: Judgments | None) -> float:
    if test.threshold is not None or judgments is None:
        return test.threshold or 0.0
    return judgments.middle_grade


@dataclass(frozen=True)
class _Lists:
    """Both lists of every query, to be shown."""

    items: SearchedItems
    queries: Sequence[str]
    rankings: tuple[Rankings, Rankings]
    sides: tuple[str, str]
    judgments: Judgments | None
    k: int

    def shown(self, change: ChangedQuery) -> ShownList:
        """The lists of one query, a line a place."""
        grades: dict[int, float] = {}
        if self.judgments is not None:
            part = slice(*self.judgments.offsets[change.row : change.row + 2].tolist())
            grades = dict(
                zip(self.judgments.items[part].tolist(), self.judgments.grades[part].tolist(), strict=True)
            )
        lines = []
        for place in range(self.k):
            line: dict[str, object] = {"place": place + 1}
            for side, rankings in zip(self.sides, self.rankings, strict=True):
                item = int(rankings.items[change.row, place]) if place < rankings.items.shape[1] else 0
                line[side] = self.items.table.titles[item]
                line[f"grade in {side}"] = grades.get(item) if item else None
            lines.append(line)
        filled = [line for line in lines if any(line[side] for side in self.sides)]
        return ShownList(change, self.queries[change.row], tuple(filled))
