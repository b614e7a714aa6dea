"""`recsys search evaluate`, `compare` and `sample` on sixty titles, a tiny encoder and a log of searches."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from recsys import columns
from recsys.catalog import Item
from recsys.cli.app import app
from recsys.config import load_settings
from recsys.dataset.catalog_rows import items_table
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import ConfigError, DataError
from recsys.stores.lake.dataset_files import save_items
from recsys.stores.lake.event_lake import EventLake
from tests.encoders.tiny_models import save_bert

COLOURS = ("red", "blue", "green", "black", "white", "pink")
THINGS = ("shoe", "hat", "bag", "lamp", "chair", "desk", "pan", "cup", "rug", "bed")
TITLES = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def shop(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a tiny encoder, and files of judgments: things are relevant to their name."""
    save_bert(tmp_path / "encoder", [*COLOURS, *THINGS])
    monkeypatch.setenv("RECSYS_TEXT__ENCODER", str(tmp_path / "encoder"))
    monkeypatch.setenv("RECSYS_EVALUATION__BOOTSTRAP_SAMPLES", "50")
    rows = ["item_id,title,shelf", *(f"i{place},{title},{place % 7}" for place, title in enumerate(TITLES))]
    (tmp_path / "items.csv").write_text("\n".join(rows) + "\n")
    judged = ["query,item_id,grade"]
    for thing in THINGS:
        for place, title in enumerate(TITLES):
            if title.split()[1] == thing or place % 11 == 0:
                judged.append(f"{thing},i{place},{3 if title.split()[1] == thing else 1}")
    (tmp_path / "judged.csv").write_text("\n".join(judged) + "\n")
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["search", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def evaluated(shop: Path, *arguments: str) -> dict[str, object]:
    files = ["--judgments", str(shop / "judged.csv"), "--items", str(shop / "items.csv")]
    return dict(json.loads(run("evaluate", *files, "--json", *arguments).stdout))


def test_every_row_is_measured_and_a_report_is_written(shop: Path) -> None:
    found = evaluated(shop, "--k", "5,10")
    rows = {row["row"]: row["metrics"] for row in found["rows"]}  # type: ignore[attr-defined]
    assert {"random", "dense"} <= set(rows)
    assert found["queries"] == 10
    assert found["threshold"] == 2  # half way from 1 to 3
    assert rows["dense"]["recall@10"]["value"] > rows["random"]["recall@10"]["value"]
    assert found["default"] in rows
    assert all(Path(path).exists() for path in found["report"])  # type: ignore[attr-defined]


def test_the_table_for_people_marks_the_default(shop: Path) -> None:
    files = ["--judgments", str(shop / "judged.csv"), "--items", str(shop / "items.csv"), "--k", "5,10"]
    assert "(default)" in run("evaluate", *files).stdout


def test_a_part_of_the_queries_is_the_one_that_their_text_says(shop: Path) -> None:
    test, train = (evaluated(shop, "--split", part)["queries"] for part in ("test", "train"))
    assert isinstance(test, int)
    assert isinstance(train, int)
    assert (test + train, test > 0) == (10, True)


def test_rankings_are_written_and_are_a_row_of_the_next_evaluation(shop: Path) -> None:
    out = shop / "out.parquet"
    first = evaluated(shop, "--rankings", str(out), "--k", "5,10")
    table = pq.read_table(out)
    assert table.column_names == ["row", "query_id", "query", "item_id", "rank", "score"]
    again = evaluated(shop, "--others", f"before={out}:dense", "--k", "5,10")

    def recall(found: dict[str, object], name: str) -> object:
        rows = {row["row"]: row["metrics"] for row in found["rows"]}  # type: ignore[attr-defined]
        return rows[name]["recall@10"]["value"]

    assert recall(again, "before") == recall(first, "dense")


def test_two_searches_are_set_beside_each_other_with_their_items(shop: Path) -> None:
    out = shop / "out.parquet"
    evaluated(shop, "--rankings", str(out), "--k", "5,10")
    files = ["--judgments", str(shop / "judged.csv"), "--items", str(shop / "items.csv"), "--k", "5"]
    found = json.loads(run("compare", f"{out}:random", "dense", *files, "--json").stdout)
    assert found["queries"] == 10
    assert 0 <= found["overlap@5"] < 1
    ndcg = next(line for line in found["metrics"] if line["metric"] == "NDCG@5")
    assert ndcg["dense"] > ndcg[f"{out}:random"]
    assert len(found["gained"][0]["places"]) == 5
    assert set(found["gained"][0]["places"][0]["dense"].split()) <= {*COLOURS, *THINGS}
    assert "gains" in run("compare", f"{out}:random", "dense", *files).stdout


def test_a_side_that_is_nothing_is_refused(shop: Path) -> None:
    files = ["--judgments", str(shop / "judged.csv"), "--items", str(shop / "items.csv")]
    result = CliRunner().invoke(app, ["search", "compare", "nothing", "dense", *files])
    assert isinstance(result.exception, ConfigError)
    assert "neither a file of rankings nor one of: random, BM25" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--judgments FILE, or --from-log N"),
        (["--from-log", "5", "--judgments", "j.csv"], "--judgments FILE, or --from-log N"),
        (["--judgments", "j.csv", "--k", "0"], "--k '0' are not places"),
        (["--judgments", "j.csv", "--split", "dev"], "--split 'dev' is unknown"),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_work(
    shop: Path, arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(app, ["search", "evaluate", *arguments])
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)


def test_an_item_that_stands_twice_is_named(shop: Path) -> None:
    items = shop / "items.csv"
    items.write_text(items.read_text() + "i3,red again,1\n")
    result = CliRunner().invoke(
        app, ["search", "evaluate", "--judgments", str(shop / "judged.csv"), "--items", str(items)]
    )
    assert isinstance(result.exception, DataError)
    assert "items.csv, row 62: the item 'i3' stands in row 5 too" in str(result.exception)


def write_log(home: Path) -> None:
    """Searches for things, the first asked most; answers show six items, and their own thing is clicked."""
    rng = np.random.default_rng(0)
    rows = []

    def event(kind: str, at: datetime, **fields: object) -> None:
        rows.append({columns.KIND: kind, columns.USER_ID: "u1", columns.AT: at, **fields})

    for rank, thing in enumerate(THINGS):
        for time in range(240 // (rank + 1)):
            at = NOW + timedelta(minutes=len(rows))
            query_id = f"{thing}-{time}"
            event(columns.SEARCH, at, query=thing.upper() if time % 2 else thing, query_id=query_id)
            event(columns.SEARCH, at, query=thing, query_id=query_id, page=2)
            own = [place for place, title in enumerate(TITLES) if title.endswith(thing)][:3]
            shown = rng.permutation([*own, *((place + 17) % 60 for place in own)])
            for position, item in enumerate(shown.tolist(), start=1):
                fields = {"item_id": f"i{item}", "position": position, "query_id": query_id}
                event(columns.IMPRESSION, at, **fields)
                if rng.random() < (0.6 if item in own else 0.1) * position**-0.7:
                    event(columns.CLICK, at, **fields)
    for place, row in enumerate(rows):
        row |= {columns.EVENT_ID: f"e{place}", columns.SEQUENCE: place, columns.WEIGHT: 0.0}
    settings = load_settings()
    EventLake(settings.paths.live).append(pa.Table.from_pylist(rows, EVENT_SCHEMA))
    items = [Item(item_id=f"i{place}", title=title, text=title, at=NOW) for place, title in enumerate(TITLES)]
    save_items(settings.paths, items_table(items))


def test_queries_of_the_log_are_sampled_by_demand_and_judged_by_clicks(shop: Path, home: Path) -> None:
    write_log(home)
    found = json.loads(run("evaluate", "--from-log", "4", "--k", "5,10", "--json").stdout)
    said = " ".join(found["notes"])
    assert "sampled queries have judgments from clicks; they stand for" in said
    assert "of 702 searches" in said  # sum over r of 240 // r, r from 1 to 10; further pages do not count
    rows = {row["row"]: row["metrics"] for row in found["rows"]}
    assert rows["dense"]["spearman"]["value"] > rows["random"]["spearman"]["value"]


def test_a_file_to_judge_has_each_item_once_and_is_read_back_with_its_weights(shop: Path, home: Path) -> None:
    write_log(home)
    out = shop / "to-judge.csv"
    facts = json.loads(run("sample", "4", "--out", str(out), "--depth", "3", "--json").stdout)
    lines = [line.split(",") for line in out.read_text().splitlines()]
    assert lines[0] == ["query", "item_id", "title", "grade", "weight", "stratum"]
    assert facts["pairs to judge"] == len(lines) - 1 == len({tuple(line[:2]) for line in lines[1:]})
    assert "shoe" in {line[0] for line in lines}  # the head
    filled = [
        lines[0],
        *([*line[:3], "1" if place % 2 else "0", *line[4:]] for place, line in enumerate(lines[1:])),
    ]
    out.write_text("\n".join(",".join(line) for line in filled))
    found = json.loads(run("evaluate", "--judgments", str(out), "--k", "3", "--json").stdout)
    assert found["queries"] == 4


def test_a_log_without_searches_is_said(shop: Path, home: Path) -> None:
    result = CliRunner().invoke(app, ["search", "evaluate", "--from-log", "4"])
    assert isinstance(result.exception, DataError)
    assert "no searches" in str(result.exception)


def test_the_learned_row_learns_from_the_other_queries(shop: Path) -> None:
    found = evaluated(shop, "--split", "test", "--k", "5,10")
    rows = {row["row"]: row["metrics"] for row in found["rows"]}  # type: ignore[attr-defined]
    assert "learned" in rows
    assert rows["learned"]["recall@10"]["value"] > rows["random"]["recall@10"]["value"]
    assert "learned" not in {
        row["row"] for row in evaluated(shop, "--split", "test", "--order", "none")["rows"]
    }  # type: ignore[attr-defined]


def test_an_order_is_learned_from_items_without_a_bundle_and_measured_on_others(shop: Path) -> None:
    files = ["--judgments", str(shop / "judged.csv"), "--items", str(shop / "items.csv")]
    learned = json.loads(run("train", *files, "--portable", "--out", str(shop / "order"), "--json").stdout)
    assert learned["written to"] == str(shop / "order")
    found = evaluated(shop, "--order", str(shop / "order"), "--k", "5,10")
    assert "learned" in {row["row"] for row in found["rows"]}  # type: ignore[attr-defined]
    result = CliRunner().invoke(app, ["search", "train", *files, "--out", str(shop / "order")])
    assert "is there already" in str(result.exception)


def test_an_order_is_not_measured_on_what_it_learned_from(shop: Path) -> None:
    files = ["--judgments", str(shop / "judged.csv"), "--items", str(shop / "items.csv")]
    result = CliRunner().invoke(app, ["search", "evaluate", *files, "--order", "learn"])
    assert isinstance(result.exception, ConfigError)
    assert "--split test" in str(result.exception)


@pytest.mark.slow
def test_an_encoder_is_tuned_on_judged_pairs(shop: Path, home: Path) -> None:
    files = ["--judgments", str(shop / "judged.csv"), "--items", str(shop / "items.csv")]
    done = CliRunner().invoke(app, ["encoder", "tune", *files, "--name", "searched", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["part"] == "train"
    assert evaluated(shop, "--split", "test", "--encoder", "searched")["queries"]
