"""The report of a study names the best trial, what was pruned and what mattered."""

from pathlib import Path

import pytest

from recsys.errors import ArtifactError
from recsys.training.tuning.records import StudyRecord, TrialRecord
from recsys.training.tuning.report import best_rows, trial_rows, write_tuning_report

STUDY = StudyRecord(
    "shop-retrieval",
    "ndcg@10",
    (
        TrialRecord(0, "complete", {"retriever.width": 64}, 0.10, (0.05, 0.08), 12.0),
        TrialRecord(1, "pruned", {"retriever.width": 48}, None, (0.02,), 3.0),
        TrialRecord(2, "complete", {"retriever.width": 96}, 0.12, (0.06, 0.09), 15.0),
        TrialRecord(3, "running", {}, None, (), None),
    ),
    {"retriever.width": 1.0},
)
PNG = b"\x89PNG\r\n\x1a\n"


def test_trials_are_listed_best_first_and_those_without_a_score_last() -> None:
    rows = trial_rows(STUDY)
    assert [(row["trial"], row["NDCG@10"]) for row in rows] == [
        (2, "0.1200"),
        (0, "0.1000"),
        (1, "-"),
        (3, "-"),
    ]
    assert rows[0]["retriever.width"] == "96"


def test_the_best_settings_stand_beside_todays() -> None:
    assert best_rows(STUDY, {"retriever.width": 64}) == [
        {"setting": "retriever.width", "today": 64, "best": 96, "importance": "1.00"}
    ]


def test_pages_and_pictures_are_written(tmp_path: Path) -> None:
    today = {"retriever.width": 64}
    written = write_tuning_report(STUDY, tmp_path / "r", title="tune", summary="what", today=today)
    assert {path.name for path in written} == {
        "history.png",
        "importance.png",
        "report.md",
        "report.html",
    }
    assert (tmp_path / "r" / "history.png").read_bytes().startswith(PNG)
    assert "![History](history.png)" in (tmp_path / "r" / "report.md").read_text()
    assert (tmp_path / "r" / "report.html").read_text().count("data:image/png;base64") == 2


def test_without_importance_there_is_no_picture_of_it(tmp_path: Path) -> None:
    few = StudyRecord("s", "ndcg@10", STUDY.trials[:1], {})
    written = write_tuning_report(few, tmp_path, title="tune", summary="", today={})
    assert "importance.png" not in {path.name for path in written}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="file"):
        write_tuning_report(STUDY, tmp_path / "file" / "r", title="", summary="", today={})
