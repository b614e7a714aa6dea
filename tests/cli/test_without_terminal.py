"""Without a terminal every long command says on stderr what it does, and stdout is one JSON document."""

import csv
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from recsys.cli import output
from recsys.cli.app import app
from recsys.instants import utc_now
from tests.stored_home.answers import service_answers
from tests.test_stored_home import ROOT, STORED, enter_folder

MAPPING = """
name = "tiny"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "events.csv"
user = "user_id"
item = "item_id"
kind = { column = "kind", values = { view = "view", click = "click", cart = "cart", purchase = "purchase" } }
time = "at"
[items]
files = "items.csv"
id = "item_id"
title = "title"
category = "category"
"""
# In the order of a shop's life. The stages are those that last in a real shop.
COMMANDS = {
    "data import --mapping tiny.toml --source files": {"reading events", "cleaning events"},
    "features build": {"build features", "encode text", "feast apply"},
    "up": set(),
    "refresh": {"build features", "feast apply", "feast materialize-incremental"},
    "train --protocol time-split": {"read events", "join histories", "train retriever", "write bundle"},
    "evaluate": {"read events", "load bundle", "ranking by recsys", "write report"},
    "ablate --parts fusion.words": {"read events", "join ranking features", "ranking by recsys"},
    "tune --trials 1": {"read events", "tune"},
    "encoder prepare encoder --name plain": {"load encoder", "write encoder"},
    "encoder train --name tuned": {"load encoder", "fine-tune"},
    "encoder compare encoder": {"load encoder encoder", "ranking by encoder"},
    "encoder export --to bfloat16": {"load encoder", "export to bfloat16", "measure"},
    "data compact": {"compact imported events", "compact live events"},
    "stream replay": {"read events", "rows online"},
    "features audit": {"build features", "recompute"},
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a shop's files and a small encoder, and no home yet."""
    enter_folder(monkeypatch, tmp_path)
    with tarfile.open(STORED / "home-7722d12.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    write_csv(tmp_path / "files/events.csv", ds.dataset(tmp_path / ".recsys/lake/events").to_table())
    write_csv(tmp_path / "files/items.csv", pq.read_table(tmp_path / ".recsys/data/items.parquet"))
    shutil.rmtree(tmp_path / ".recsys")
    (tmp_path / "tiny.toml").write_text(MAPPING)
    settings = (tmp_path / "recsys.toml").read_text() + '[import]\nmapping = "tiny.toml"\nsource = "files"\n'
    (tmp_path / "recsys.toml").write_text(settings)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "feature_repo", tmp_path / "feature_repo", ignore=ignored)
    yield tmp_path
    CliRunner().invoke(app, ["down"])


def write_csv(path: Path, table: pa.Table) -> None:
    """The table's plain columns; text, so that the shop's own files have no types."""
    path.parent.mkdir(exist_ok=True)
    names = [name for name in table.column_names if name in MAPPING]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in table.select(names).to_pylist():
            writer.writerow([value.isoformat() if name == "at" else value for name, value in row.items()])


@pytest.mark.slow
def test_no_stage_of_a_long_command_is_silent_and_stdout_is_one_document(shop: Path) -> None:
    for command, expected in COMMANDS.items():
        if command == "features audit":
            service_answers(utc_now(), [("POST", "/v1/recommend", {"user_id": "u0"})])
        done = CliRunner().invoke(app, [*command.split(), "--json"], catch_exceptions=False)
        assert done.exit_code == 0, f"{command}: {done.stderr}"
        json.loads(done.stdout)
        begun = re.findall(r"^(.+): begins$", done.stderr, re.MULTILINE)
        ended = re.findall(r"^(.+): done in \d+\.\d s$", done.stderr, re.MULTILINE)
        assert sorted(begun) == sorted(ended), command
        assert expected <= set(begun), f"{command}: {sorted(set(begun))}"
        assert not re.search(r"\r|\d+%\|", done.stderr), f"{command} draws a progress bar"


def test_a_stage_that_fails_says_after_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"), output.bars("work", 3):
        raise ValueError("broken")
    assert re.fullmatch(r"work: begins\nwork: stopped after \d+\.\d s\n", capsys.readouterr().err)


def test_a_long_stage_says_how_far_it_is_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LINE_SECONDS", 0.0)
    with output.bars("work", 3) as advance:
        advance(2)
    with output.bars("more", None) as advance:
        advance(1)
    shown = re.sub(r"\d+(\.\d)? s", "N s", capsys.readouterr().err).splitlines()
    assert shown == [
        *("work: begins", "work: 2 of 3 after N s", "work: done in N s"),
        *("more: begins", "more: 1 after N s", "more: done in N s"),
    ]
