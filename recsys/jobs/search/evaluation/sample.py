"""`recsys search sample`: queries of the log with items to judge, as a file to fill in."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.atomic import write_text
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.evaluation.search.demand_sample import DemandSample
from recsys.jobs.preconditions import check_file_writable
from recsys.jobs.search.evaluation.evaluation_rows import RANDOM, open_rows
from recsys.jobs.search.evaluation.sampled_queries import read_logged_queries, sample_queries
from recsys.jobs.search.judged_files.searched_items import SearchedItems, shop_items
from recsys.progress import Progress, silent

_HEADER = ("query", "item_id", "title", "grade", "weight", "stratum")


@dataclass(frozen=True)
class JudgingFile:
    """What was written for people to judge."""

    path: Path
    queries: int
    pairs: int
    head: int
    head_share: float
    searches: int

    def to_json(self) -> JsonObject:
        """For `--json`, and as facts for people."""
        return {
            "file": str(self.path),
            "queries": self.queries,
            "pairs to judge": self.pairs,
            "searches in the log": self.searches,
            "queries of the head, all taken": self.head,
            "share of searches that they are": round(self.head_share, 4),
        }


def write_judging_file(
    settings: Settings,
    size: int,
    out: Path,
    *,
    depth: int = 10,
    encoder: str | None = None,
    progress: Progress = silent,
) -> JudgingFile:
    """Samples queries by demand and writes the items that any row shows first, in an order that says nothing.

    The file is read back by `recsys search evaluate --judgments`, once its grades are filled in; its
    weights make the sample stand for all searches.

    Args:
        depth: items of each row. encoder: of this home, a path or a name; None = that of the settings.

    Raises:
        ConfigError: the file cannot be written.
        DataError: nobody searched, or nothing was imported.
    """
    check_file_writable(out, "--out", makes_folders=False)
    logged = read_logged_queries(settings)
    keys, sample = sample_queries(logged, size, settings.evaluation.seed)
    queries = [logged.written[key] for key in keys]
    items = shop_items(settings)
    pooled: list[set[int]] = [set() for _ in queries]
    with open_rows(settings, items, encoder, (), progress) as built:
        for row in built.rows:
            if row.name != RANDOM:
                for found, shown in zip(pooled, row.rank(queries, depth).items.tolist(), strict=True):
                    found.update(item for item in shown if item)
    text = _table(queries, pooled, items, sample, settings.evaluation.seed)
    try:
        write_text(out, text)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror or error}. Name another file.") from error
    return JudgingFile(
        out,
        len(queries),
        sum(map(len, pooled)),
        int(sample.head.sum()),
        sample.head_share,
        sample.searches,
    )


def _table(
    queries: Sequence[str], pooled: Sequence[set[int]], items: SearchedItems, sample: DemandSample, seed: int
) -> str:
    rng = np.random.default_rng(seed)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_HEADER)
    strata = sample.strata.tolist()
    for query, found, weight, stratum in zip(queries, pooled, sample.weights.tolist(), strata, strict=True):
        for item in rng.permutation(sorted(found)).tolist():
            title, item_id = items.table.titles[item], items.vocabulary.ids[item]
            writer.writerow([query, item_id, title, "", f"{weight:.6g}", stratum])
    return file.getvalue()
