"""How good lexical search is on judged sets: recall@100 over the whole catalog, rank correlation of pairs.

    scripts/benchmarks/search/lexical_quality.py --data DIR [--part test|rest]

DIR holds home_goods_search/{items,judgments}.csv.gz and chinese_search/judgments.csv.gz. The test is the
fifth of the queries by the SHA-256 of their text; everything was chosen on the others.
"""

import argparse
import csv
import gzip
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

from recsys.analysis.folding import normalise
from recsys.analysis.scanning import pieces_of
from recsys.arrays import IntArray
from recsys.cli.output import print_rows
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.feedback import feedback_groups
from recsys.retrieval.lexical.index import LexicalIndex, open_index
from recsys.retrieval.lexical.item_text import ItemText
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.retrieval.lexical.similar_words import SimilarWords

RELEVANT, CUTOFF, FEEDBACK_FROM = 2.33, 100, 20
Search = Callable[[str], IntArray]


def main() -> None:
    """Prints a table for each set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--part", choices=("test", "rest"), default="test")
    arguments = parser.parse_args()
    test = arguments.part == "test"
    print_rows(_home_goods(arguments.data / "home_goods_search", test), as_json=False, title="home goods")
    print_rows(_chinese(arguments.data / "chinese_search", test), as_json=False, title="Chinese")


def _home_goods(folder: Path, test: bool) -> list[dict[str, object]]:
    items = _table(folder / "items.csv.gz")
    rows = {row["item_id"]: index for index, row in enumerate(items, start=1)}
    relevant: dict[str, set[int]] = {}
    for row in _table(folder / "judgments.csv.gz"):
        if float(row["grade"]) >= RELEVANT and _is_test(row["query"]) == test:
            relevant.setdefault(row["query"], set()).add(rows[row["item_id"]])
    titles = [row["title"] for row in items]
    index = _index(titles)
    similar = SimilarWords(index.title_words())

    def words(text: str) -> IntArray:
        return index.top(lexical_query(text), 1, CUTOFF)[0]

    def widened(text: str) -> IntArray:
        return index.top(similar.widened(lexical_query(text)), 1, CUTOFF)[0]

    def with_feedback(query: LexicalQuery) -> IntArray:
        best, scores = index.top(query, 1, FEEDBACK_FROM)
        more = feedback_groups(query, [titles[place - 1] for place in best], scores, index)
        return index.top(LexicalQuery(query.groups + more), 1, CUTOFF)[0]

    searches: Mapping[str, Search] = {
        "words": words,
        "+ similar words": widened,
        "+ feedback": lambda text: with_feedback(lexical_query(text)),
        "+ similar words + feedback": lambda text: with_feedback(similar.widened(lexical_query(text))),
    }
    return [
        {"row": name, "queries": len(relevant), "recall@100": round(_recall(search, relevant), 4)}
        for name, search in searches.items()
    ]


def _chinese(folder: Path, test: bool) -> list[dict[str, object]]:
    pairs = [row for row in _table(folder / "judgments.csv.gz") if _is_test(row["query"]) == test]
    titles = list(dict.fromkeys(row["title"] for row in _table(folder / "judgments.csv.gz")))
    index, places = _index(titles), {title: place for place, title in enumerate(titles, start=1)}
    grades = np.array([float(row["grade"]) for row in pairs])
    ways: Mapping[str, Callable[[str], LexicalQuery]] = {
        "words": lexical_query,
        "pairs of characters": _pairs,
    }
    found: list[dict[str, object]] = []
    for name, asked in ways.items():
        scores = np.array([_coverage(index, asked(row["query"]), places[row["title"]]) for row in pairs])
        found.append(
            {
                "row": f"share of the query's rarity, {name}",
                "pairs": len(pairs),
                "spearman": round(float(spearmanr(scores, grades).statistic), 4),
                "auc": round(_auc(scores, grades >= 1), 4),
            }
        )
    return found


def _pairs(text: str) -> LexicalQuery:
    """Every pair of Han characters and every other word as a group."""
    terms: list[str] = []
    for piece in pieces_of(normalise(text)):
        run = piece.text
        terms += [run[at : at + 2] for at in range(max(len(run) - 1, 1))] if piece.kind == "han" else []
    others = [group for group in lexical_query(text).words if group.alternatives[0].terms[0].isascii()]
    pairs = [WordGroup(term, (Alternative((term,)),)) for term in dict.fromkeys(terms)]
    return LexicalQuery((*pairs, *others))


def _coverage(index: LexicalIndex, query: LexicalQuery, item: int) -> float:
    """The share of the query's words, weighed by their rarity, that the item has."""
    held = index.matched_groups(query, np.array([item]))[:, 0]
    rarity = np.array([index.rarity_of(group) for group in query.groups])
    return float(rarity[held].sum() / rarity.sum()) if len(rarity) else 0.0


def _index(titles: Sequence[str]) -> LexicalIndex:
    folder = Path(tempfile.mkdtemp(), "lexical")
    build_index((ItemText(place, title) for place, title in enumerate(titles, start=1)), folder)
    return open_index(folder)


def _recall(search: Search, relevant: Mapping[str, set[int]]) -> float:
    shares = [len(items.intersection(search(text).tolist())) / len(items) for text, items in relevant.items()]
    return float(np.mean(shares))


def _auc(scores: Iterable[float], positive: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    ranks = rankdata(np.asarray(scores))
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def _is_test(query: str) -> bool:
    return int(hashlib.sha256(query.encode()).hexdigest()[:8], 16) % 5 == 0


def _table(file: Path) -> list[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as text:
        return list(csv.DictReader(text))


if __name__ == "__main__":
    main()
