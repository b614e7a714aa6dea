"""`recsys evaluate --task ctr`: a log of one's own, and a bundle on what came after it had learned."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import ClickSettings, EvaluationSettings, Settings
from recsys.errors import DataError
from recsys.evaluation.ctr.simulated import simulate_clicks
from recsys.instants import DAY
from recsys.jobs.clicks.evaluate import compare_shop, evaluate_click_file, shop_rows
from recsys.jobs.clicks.files import read_click_file
from recsys.progress import silent
from recsys.training.stages.click_stage import train_click_model, with_click_model
from tests.training.ctr.click_world import START, ShopOfClicks

SETTINGS = Settings(
    ctr=ClickSettings(epochs=2, history=10), evaluation=EvaluationSettings(bootstrap_samples=30)
)


def write_log(file: Path, rows: int = 1500, **changes: object) -> Path:
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 40, rows), rng.integers(0, 20, rows)
    likes = user % 2 == item % 2
    table = pd.DataFrame(
        {
            "user_id": user,
            "item_id": item,
            "timestamp": np.arange(rows),
            "clicked": (rng.random(rows) < np.where(likes, 0.8, 0.1)).astype(int),
            "position": rng.integers(1, 3, rows),
        }
    ).assign(**changes)
    table.to_csv(file, index=False)
    return file


def test_a_log_of_ones_own_gives_the_table_and_the_report(tmp_path: Path):
    settings = SETTINGS.model_copy(update={"home": tmp_path / "home"})
    found = evaluate_click_file(settings, write_log(tmp_path / "clicks.csv"), silent)
    names = [row["name"] for row in found.comparison.rows]
    assert names == ["click rate by item", "logistic regression", "LightGBM", "click model"]
    assert {path.name for path in found.report} >= {"clicks.md", "reliability.png"}
    assert found.folder == tmp_path / "home" / "reports" / "clicks-clicks"
    document = json.loads(json.dumps(found.to_json()))
    assert document["models"][3]["metrics"]["auc"]["value"] > 0.6
    assert "the last 300 of all by time" in document["summary"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clicked": 2}, "other values than 0 and 1"),
        ({"timestamp": "yesterday"}, "neither Unix seconds nor an ISO instant"),
    ],
)
def test_a_log_that_cannot_be_read_says_why(tmp_path: Path, changes: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        read_click_file(write_log(tmp_path / "clicks.csv", 10, **changes))


def test_a_log_without_its_columns_names_them(tmp_path: Path):
    (tmp_path / "clicks.csv").write_text("user,item\n1,2\n", "utf-8")
    with pytest.raises(DataError, match="lacks the columns user_id, item_id, served_at, clicked"):
        read_click_file(tmp_path / "clicks.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_click_file(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("rows", "told"), [("", "0 impressions, 0"), ("u,i,7,1\nv,i,8,1\n", "2 impressions, 2")]
)
def test_a_log_without_both_kinds_is_refused_before_the_work(rows: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "clicks.csv"
    file.write_text("user_id,item_id,served_at,clicked\n" + rows)
    with pytest.raises(DataError, match=f"has {told} of them clicked"):
        read_click_file(file)


def test_instants_may_be_seconds_or_iso(tmp_path: Path):
    seconds = read_click_file(write_log(tmp_path / "a.csv", 3))
    same = ["1970-01-01T00:00:00Z", "1970-01-01", "1970-01-01T01:00:00+01:00"]
    text = read_click_file(write_log(tmp_path / "b.csv", 3, timestamp=same))
    assert seconds["at"].tolist() == [0, 10**6, 2 * 10**6]
    assert text["at"].tolist() == [0, 0, 0]


def test_a_bundles_model_is_measured_on_later_days_beside_baselines_without_vectors():
    shop = ShopOfClicks.of(simulate_clicks(1500, users=40, items=20, rate=0.0))
    bundle, labels = shop.bundle(), shop.labels()
    trained = train_click_model(labels.take(labels.at < START + 6 * DAY), shop, bundle, SETTINGS.ctr).model
    bundle = with_click_model(bundle, trained, {"ads_v1": "a"})
    labels = replace(labels, p_click=np.full(len(labels), 0.2))
    rows = shop_rows(SETTINGS, bundle, labels, shop, silent)
    found = compare_shop(bundle, labels, rows, SETTINGS, silent)
    assert set(found.measures) == {
        "click rate by item", "logistic regression", "LightGBM", "as it was served", "click model",
    }  # fmt: skip
    assert found.measures["click model"].impressions == (labels.at >= START + 6 * DAY).sum()
    assert "ad/home, slot 1" in found.slices
    assert found.purchases


def test_options_that_do_not_go_together_are_refused():
    for options, message in (
        (["--task", "ctr", "--seeds", "2"], "takes only"),
        (["--impressions", "a.csv"], "is for --task ctr"),
        (["--task", "ctr", "--per-user"], "goes with --impressions"),
        (["--task", "ctr", "--impressions", "a.csv", "--bundle", "b"], "does not go with --bundle"),
    ):
        result = CliRunner().invoke(app, ["evaluate", *options])
        assert result.exit_code == 2
        assert message in result.output
