"""Tables, pages and pictures."""

import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest

from recsys.config import EvaluationSettings
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import leave_one_out
from recsys.errors import ArtifactError
from recsys.evaluation.baselines import build_baselines
from recsys.evaluation.compare import Evaluation, evaluate_scorers
from recsys.evaluation.plots import model_colours
from recsys.evaluation.popularity_bias import TAKEN, group_shares
from recsys.evaluation.reliability import measure_reliability
from recsys.evaluation.report import calibration_sections, render_html, render_markdown, write_report
from recsys.evaluation.tables import (
    difference_rows,
    evaluation_json,
    shown_items,
    shown_rows,
    slice_groups,
    slice_rows,
    table_rows,
)

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def evaluation(shop: Interactions) -> Evaluation:
    split = leave_one_out(shop)
    scorers = build_baselines(split.train, shop, clock=True, repeats=True, texts=["", *"abcde"])
    settings = EvaluationSettings(cutoffs=(2, 4), bootstrap_samples=30)
    found = evaluate_scorers(
        scorers, split, shop, settings, seen="keep", categories=["", "a", "a", "b", "b", "b"]
    )
    p_click = np.array([0.1, 0.1, 0.6, 0.9], np.float32)
    measured = measure_reliability(p_click, np.array([False, False, True, True]))
    assert measured is not None
    return replace(found, calibration={"repeats removed": measured})


def test_the_table_has_a_row_a_model_with_intervals(evaluation: Evaluation) -> None:
    rows = table_rows(evaluation)
    assert [row["model"] for row in rows] == list(evaluation.models)
    assert list(rows[0])[:5] == ["model", "HR@2", "NDCG@2", "MRR@2", "Recall@4"]
    assert re.fullmatch(r"\d\.\d{4} \[\d\.\d{4}, \d\.\d{4}\]", rows[0]["NDCG@2"])
    assert {"coverage", "novelty", "diversity", "seconds"} < set(rows[0])


def test_each_other_model_is_set_against_the_reference(evaluation: Evaluation) -> None:
    rows = difference_rows(evaluation)
    assert {row["model"] for row in rows} == set(evaluation.models) - {evaluation.reference}
    assert {row["verdict"] for row in rows} <= {"better", "worse", "not told apart"}


def test_slices_are_rows_and_models_columns(evaluation: Evaluation) -> None:
    rows = slice_rows(evaluation, "ndcg@2", evaluation.slices)
    assert [row["slice"] for row in rows] == list(evaluation.slices)
    assert list(rows[0]) == ["slice", "cases", *evaluation.models]


def test_slices_that_belong_together_share_a_table(evaluation: Evaluation) -> None:
    groups = slice_groups(evaluation)
    # Every user had 2 or 3 actions before: slices by the length of the history would all be the same.
    assert groups["categories"] == ["category: b", "category: a"]
    assert "history" not in groups
    assert groups["slices"][0] == "all"
    assert [name for names in groups.values() for name in names] == list(evaluation.slices)


def test_the_document_is_json_with_every_row(evaluation: Evaluation) -> None:
    read = json.loads(json.dumps(evaluation_json(evaluation)))
    assert len(read["rows"]) == len(evaluation.rows)
    assert (read["cases"], read["catalogue"], read["seen"]) == (4, 5, "keep")
    assert read["served"] == evaluation.served
    assert read["calibration"]["repeats removed"]["observed"] == 0.5


def test_the_groups_of_shown_items_add_up(evaluation: Evaluation) -> None:
    shares = group_shares(shown_items(evaluation), evaluation.item_events)
    assert sum(shares.values()).tolist() == pytest.approx([1.0] * (len(evaluation.models) + 1))


def test_what_people_took_stands_below_what_was_shown_and_has_no_bias(evaluation: Evaluation) -> None:
    rows = shown_rows(evaluation)
    assert [row["lists of"] for row in rows] == [*evaluation.models, TAKEN]
    assert rows[-1]["bias"] == "-"
    assert rows[-1]["mean percentile"] == f"{(0.7 + 0.1 + 0.3 + 0.7) / 4:.4f}"


def test_a_report_is_a_folder_of_pages_pictures_and_json(evaluation: Evaluation, tmp_path: Path) -> None:
    curves = tmp_path / "curves.png"
    curves.write_bytes(PNG + b"curves")
    paths = write_report(evaluation, tmp_path / "new" / "report", title="A <shop>", learning_curves=[curves])
    names = {path.name for path in paths}
    assert {"report.html", "report.md", "table.json", "evaluation.json", "curves-1.png"} < names
    assert {"categories.png", "reliability-repeats-removed.png"} < names
    assert all(path.exists() for path in paths)
    assert not list((tmp_path / "new" / "report").glob("*.partial"))
    for path in paths:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(PNG)
    page = (tmp_path / "new" / "report" / "report.html").read_text("utf-8")
    assert "A &lt;shop&gt;" in page
    assert page.count("data:image/png;base64,") == 6
    assert 'src="http' not in page
    assert json.loads((tmp_path / "new" / "report" / "table.json").read_text("utf-8")) == table_rows(
        evaluation
    )


def test_a_report_says_why_there_are_no_probabilities(evaluation: Evaluation, tmp_path: Path) -> None:
    small = replace(evaluation, calibration={}, no_ranker="only 3 requests have an order")
    write_report(small, tmp_path, title="shop")
    assert "how probable a click is: only 3 requests have an order." in (tmp_path / "report.md").read_text()


def test_markdown_names_only_pictures_that_are_written(evaluation: Evaluation, tmp_path: Path) -> None:
    paths = write_report(evaluation, tmp_path, title="Shop", command="recsys evaluate --seen keep")
    text = (tmp_path / "report.md").read_text("utf-8")
    assert set(re.findall(r"\]\((.+?)\)", text)) == {path.name for path in paths if path.suffix == ".png"}
    assert text.startswith("# Shop\n")
    assert "Made by: recsys evaluate --seen keep" in text


def test_the_verdict_stands_on_top_of_every_report(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path, title="Shop")
    assert evaluation.verdict is not None
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.index(escape(evaluation.verdict.headline)) < page.index("<h2>")
    lines = (tmp_path / "report.md").read_text("utf-8").splitlines()
    assert lines[2] == f"**{evaluation.verdict.headline}** {evaluation.verdict.remarks}"
    document = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    assert document["verdict"]["text"] == evaluation.verdict.text


def test_what_is_served_is_bold_in_every_table_of_models(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path, title="Shop")
    served = evaluation.served
    for line in (tmp_path / "report.md").read_text("utf-8").splitlines():
        if re.match(rf"\| \**{re.escape(served)}\** \|", line):
            assert all(cell.strip().startswith("**") for cell in line.strip("|").split("|"))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f'<tr class="served"><td>{escape(served)}</td>' in page
    assert f'<th scope="col" class="served">{escape(served)}</th>' in page
    assert not re.search(rf"<tr><td>{re.escape(escape(served))}</td>", page)


def test_a_wide_table_scrolls_in_its_own_box_and_breaks_its_intervals(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    write_report(evaluation, tmp_path, title="Shop")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("<table>") == page.count('<div class="table" role="region" tabindex="0"') > 3
    assert re.search(r'<td>\d\.\d{4} <span class="interval">\[', page)
    assert 'name="viewport"' in page


def test_what_is_served_has_one_strong_colour_and_the_others_are_grey(evaluation: Evaluation) -> None:
    colours = model_colours(evaluation)
    assert set(colours) == set(evaluation.models)
    for model, colour in colours.items():
        red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        assert (red == green == blue) == (model != evaluation.served)
    greys = [int(colour[1:3], 16) for model, colour in colours.items() if model != evaluation.served]
    assert min(greys) >= 0x70


def test_each_kind_of_request_has_a_section_of_its_probabilities(evaluation: Evaluation) -> None:
    (found,) = evaluation.calibration.values()
    parts = calibration_sections("ours", {"": found, "new items": found})
    assert [(heading, pictures) for heading, _, _, pictures in parts] == [
        ("Are probabilities right?", ["reliability.png"]),
        ("Are probabilities right, new items?", ["reliability-new-items.png"]),
    ]


def test_a_folder_that_cannot_be_written_is_named(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError, match="file"):
        write_report(evaluation, tmp_path / "file", title="Shop")


def test_cells_cannot_break_the_table_or_the_page() -> None:
    part = ("A & B", "", [{"model": "a|b<c>", "x": 1}], [])
    assert "a\\|b<c>" in render_markdown("t", "s", [part])
    page = render_html("t", "s", [part], {})
    assert "a|b&lt;c&gt;" in page
    assert "A &amp; B" in page
