"""From which cosine on an item matches by meaning: fitted by texts and clicks, or by judged pairs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recsys.analysis.analyzer import Analyzer
from recsys.config import Settings
from recsys.dataset.clicked_items import ClickedItem
from recsys.dataset.interactions import Vocabulary
from recsys.errors import DataError
from recsys.evaluation.search.judgments import JudgedPairs, is_test_query, judgments_on
from recsys.jobs.search.judged_files.judged_sets import (
    ReadingOptions,
    parse_grades,
    parse_words,
    read_judged_set,
)
from recsys.jobs.search.judged_files.searched_items import shop_items
from recsys.models.bundle import Bundle
from recsys.models.encoders.query_encoder import QueryEncoder
from recsys.progress import Progress
from recsys.retrieval.text_index import TextIndex
from recsys.search.match_threshold import MatchThreshold
from recsys.training.search.match_threshold import JudgedPair, fit_judged_threshold, fit_match_threshold

LEAST_CHOSEN = 2  # searches, before an item counts as what its query means
MOST_CLICKED = 1200  # pairs of a query and an item, half as many as pieces of titles

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JudgedFile:
    """A judged set to fit the threshold by.

    Attributes:
        queries: the texts of query ids, where the judgments have ids. relevant_from: the lowest grade of a
            pair that should match; None = half way between the lowest and the highest.
    """

    judgments: Path
    queries: Path | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    relevant_from: float | None = None

    @classmethod
    def of(
        cls,
        judgments: Path,
        queries: Path | None,
        columns: str | None,
        grades: str | None,
        relevant_from: float | None,
    ) -> "JudgedFile":
        """The set that options of a command name.

        Raises:
            DataError: a part of `columns` or `grades` is not NAME=VALUE, or a grade not a number.
        """
        reading = ReadingOptions(parse_words("--columns", columns), parse_grades(grades))
        return cls(judgments, queries, reading, relevant_from)


@dataclass(frozen=True)
class JudgedMatches:
    """Judged pairs, and the lowest grade of those that should match; None = half way."""

    pairs: JudgedPairs
    relevant_from: float | None

    def on(self, items: Vocabulary) -> tuple[list[JudgedPair], list[JudgedPair]]:
        """The pairs of these items: those of the training queries, and of the test queries."""
        judgments = judgments_on(self.pairs, items)
        least = judgments.middle_grade if self.relevant_from is None else self.relevant_from
        pairs: tuple[list[JudgedPair], list[JudgedPair]] = ([], [])
        for query, item, grade in zip(
            judgments.query_of_pair.tolist(), judgments.items.tolist(), judgments.grades.tolist(), strict=True
        ):
            text = judgments.queries[query]
            pairs[is_test_query(text)].append(JudgedPair(text, item, grade >= least))
        return pairs


def read_judged_matches(settings: Settings, file: JudgedFile) -> JudgedMatches:
    """The pairs of a file, held against the catalog before any training.

    Raises:
        DataError: it is damaged, none of its items is in the catalog, or all its pairs are of one kind.
    """
    found = JudgedMatches(
        read_judged_set(file.judgments, file.queries, file.reading).pairs, file.relevant_from
    )
    chosen, _ = found.on(shop_items(settings).vocabulary)
    relevant = sum(pair.relevant for pair in chosen)
    if not 0 < relevant < len(chosen):
        raise DataError(
            f"{file.judgments}: of {len(chosen)} pairs of its training queries {relevant} are relevant, and "
            "both kinds are needed. Lower or raise --relevant-from, or leave out --fit-threshold."
        )
    return found


def fit_threshold(
    bundle: Bundle,
    encoder: QueryEncoder,
    encoder_name: str,
    clicked: Sequence[ClickedItem],
    judged: JudgedMatches | None,
    settings: Settings,
    progress: Progress,
) -> MatchThreshold | None:
    """The threshold of a bundle; None where the catalog has too few titles to say what is near in meaning.

    Args:
        clicked: what people chose of what they searched, most often chosen first.
        judged: decides where it is there; the rest then says only in which form cosines are compared.
    """
    items, index, analyzer = bundle.items, TextIndex(bundle.text_vectors), Analyzer()

    def spans(text: str) -> list[tuple[int, int]]:
        return [(word.start, word.end) for word in analyzer.query_words(text)]

    chosen = [
        (row.query, items.vocabulary.index(row.item_id)) for row in clicked if row.searches >= LEAST_CHOSEN
    ]
    try:
        fitted = fit_match_threshold(
            items.words_of_titles,
            index,
            encoder.encode,
            spans,
            clicked=[(query, item) for query, item in chosen if item][:MOST_CLICKED],
            false_match_rate=settings.search.false_match_rate,
            encoder=encoder_name,
            progress=progress,
        )
    except DataError as error:
        log.warning("search goes by words alone: %s", error)
        return None
    if judged is None:
        return fitted
    pairs, held_out = judged.on(items.vocabulary)
    return fit_judged_threshold(fitted, pairs, held_out, index, encoder.encode, spans)
