"""The report of search: the default stands out, and Markdown, JSON and picture say the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys.dataset.interactions import Vocabulary
from recsys.errors import ArtifactError
from recsys.evaluation.search.compare import SearchEvaluation, SearchMeasure, evaluate_rows
from recsys.evaluation.search.judgments import JudgedPairs, judgments_on
from recsys.evaluation.search.report import write_search_report
from recsys.evaluation.search.rows import RandomRow, RankedLists
from recsys.evaluation.search.tables import metric_label

CATALOG = Vocabulary(("", *(f"i{n}" for n in range(1, 21))))


@pytest.fixture
def evaluation() -> SearchEvaluation:
    texts = [f"q{n}" for n in range(30)]
    pairs = JudgedPairs.of(texts, texts, np.repeat(np.arange(30), 2), ["i1", "i2"] * 30, [2.0, 0.0] * 30)
    judgments = judgments_on(pairs, CATALOG)
    right = RankedLists("right", {text: (np.array([1, 2]), np.array([2.0, 1.0])) for text in texts})
    wrong = RankedLists("wrong", {text: (np.array([2, 1]), np.array([2.0, 1.0])) for text in texts})
    rows = [RandomRow(np.arange(1, 21)), wrong, right]
    return evaluate_rows(rows, judgments, SearchMeasure(1, (1, 5), samples=50), "right", ("wrong",))


def test_names_of_metrics_are_those_that_people_write() -> None:
    assert [metric_label(name) for name in ("ndcg@10", "spearman", "ndcg_judged@10", "judged@10")] == [
        "NDCG@10", "Spearman", "NDCG@10, judged only", "judged@10"
    ]  # fmt: skip


def test_the_report_marks_the_default_and_says_what_its_interval_allows(
    evaluation: SearchEvaluation, tmp_path: Path
) -> None:
    written = write_search_report(evaluation, tmp_path, title="Search", notes=["a note"], command="recsys x")
    assert [path.name for path in written] == ["search.md", "search.json", "search.png"]
    text = (tmp_path / "search.md").read_text("utf-8")
    assert "**right (default)**" in text
    assert "right is better than the better of its halves, wrong: NDCG@1 1.0000 against 0.0000" in text
    assert "- a note" in text
    assert "Made by: `recsys x`" in text
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((tmp_path / "search.json").read_text("utf-8"))
    assert [row["row"] for row in found["rows"]] == ["random", "wrong", "right"]
    assert found["rows"][1]["metrics"]["ndcg@1"]["default_minus_row"] == 1.0
    assert found["beside_halves"][1]["outcome"] == "better"
    assert "NaN" not in json.dumps(found)


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(
    evaluation: SearchEvaluation, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(ArtifactError, match="the report under"):
        write_search_report(evaluation, tmp_path / "file", title="Search")
