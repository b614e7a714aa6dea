"""`recsys encoder`: what a user types and what comes back, on a shop of 32 texts and a tiny encoder."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recsys.cli.encoders.encoder import app
from recsys.config import TextSettings, load_settings
from recsys.dataset.catalog_rows import items_of, items_table
from recsys.errors import ConfigError, DataError
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import load_mapping
from recsys.jobs.data.import_shop import run_import
from recsys.models.encoders.encoder_licence import encoder_licence
from recsys.models.encoders.text_encoder import load_encoder
from recsys.stores.lake.dataset_files import load_items, save_items
from tests.encoders.test_fine_tuning import ADJECTIVES, ITEMS, NOUNS, WORDS
from tests.encoders.tiny_models import save_bert

NOW = datetime(2025, 6, 1, tzinfo=UTC)
MAPPING = """
name = "nouns"
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "orders.csv"
user = "user"
item = "item"
kind = { column = "kind", values = { purchase = "purchase", search = "search" } }
time = "at"
query = "query"
session = "session"

[items]
files = "items.csv"
id = "item"
title = "title"
"""


def write_shop(folder: Path) -> None:
    rng = np.random.default_rng(0)
    folder.mkdir()
    titles = [f"i{place},{title}" for place, title in enumerate(ITEMS)]
    (folder / "items.csv").write_text("\n".join(["item,title", *titles]) + "\n")
    lines = ["user,item,at,kind,query,session"]
    for user in range(80):
        for step in range(10):
            at = NOW - timedelta(days=90 - 9 * step, seconds=user)
            title = f"{rng.choice(ADJECTIVES)} {NOUNS[user % 4][step % 2]}"
            session = f"s{user}-{step}"
            if step % 3 == 0:
                query = NOUNS[user % 4][0]
                lines.append(f"u{user},,{at - timedelta(seconds=9):%FT%TZ},search,{query},{session}")
            lines.append(f"u{user},i{ITEMS.index(title)},{at:%FT%TZ},purchase,,{session}")
    (folder / "orders.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def recsys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    write_shop(tmp_path / "files")
    (tmp_path / "shop.toml").write_text(MAPPING)
    given = {
        "RECSYS_HOME": str(tmp_path / "home"),
        "RECSYS_TEXT__ENCODER": str(save_bert(tmp_path / "base", WORDS)),
        "RECSYS_ENCODER__EPOCHS": "2",
        "RECSYS_ENCODER__BATCH_SIZE": "16",
        "RECSYS_ENCODER__LEARNING_RATE": "5e-3",
        "RECSYS_ENCODER__THREADS": "1",
        "COLUMNS": "200",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    paths = load_settings().paths
    mapping = load_mapping(str(tmp_path / "shop.toml"))
    run_import(paths, ShopFiles(mapping, "0", tmp_path / "files"), MAPPING, NOW)

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def test_an_encoder_is_trained_exported_and_distilled_and_each_is_one_to_use(
    recsys: Callable[..., Result], tmp_path: Path
) -> None:
    trained = json.loads(recsys("train", "--name", "tuned", "--layers", "1", "--json").stdout)
    assert trained["pairs"] > 50
    assert trained["after"]["recall@10"] >= trained["before"]["recall@10"]
    exported = json.loads(recsys("export", "tuned", "--to", "int8", "--json").stdout)
    assert [row["form"] for row in exported["rows"]] == ["torch float32", "int8"]
    assert exported["rows"][1]["cosine min"] > 0.95
    assert exported["rows"][1]["MB"] > 0
    assert json.loads((Path(exported["folder"]) / "encoder.json").read_text())["measured"] == exported["rows"]
    distilled = json.loads(
        recsys("distil", "--teacher", "tuned", "--student", str(tmp_path / "base"), "--json").stdout
    )
    assert distilled["after"]["cosine correlation"] >= distilled["before"]["cosine correlation"]
    card = Path(trained["folder"]) / "README.md"
    card.write_text("---\nlicense: mit\n---\n" + card.read_text())
    prepared = json.loads(recsys("prepare", "tuned", "--name", "copy", "--json").stdout)
    assert encoder_licence(prepared["folder"]) == "mit", "what is made of weights inherits their licence"
    for answer in (trained, exported, distilled, prepared):
        encoder = load_encoder(TextSettings(encoder=answer["folder"], precision="float32"))
        assert encoder.encode(["red tea"]).shape == (1, 16)
    assert "recall@10" in (Path(trained["folder"]) / "README.md").read_text()
    with pytest.raises(ConfigError, match="there already"):
        recsys("train", "--name", "tuned")
    with pytest.raises(ConfigError, match="not a valid name"):
        recsys("prepare", "minilm", "--name", "../away")


def test_the_gain_is_a_table_for_people(recsys: Callable[..., Result]) -> None:
    result = recsys("train", "--name", "tuned")
    assert "before" in result.output
    assert "recall@10" in result.output


def test_encoders_are_compared_by_what_comes_next(recsys: Callable[..., Result], tmp_path: Path) -> None:
    recsys("prepare", str(tmp_path / "base"), "--name", "copy")
    said = json.loads(recsys("compare", "copy", str(tmp_path / "base"), "--cases", "40", "--json").stdout)
    assert (said["protocol"], said["cases"]) == ("time-split", 40)
    first, second, words = said["rows"]
    assert [row["encoder"] for row in said["rows"]] == ["copy", str(tmp_path / "base"), "words"]
    assert first["alone difference"] is None
    assert second["alone difference"] == "+0.0000 [+0.0000, +0.0000]"
    assert first["added NDCG@10"] == second["added NDCG@10"] > 0
    assert first["ms a text"] > 0
    assert words["ms a text"] is None
    with pytest.raises(ConfigError, match="'never'"):
        recsys("compare", "copy", "--seen", "never")


def test_a_shop_without_texts_is_told_that_there_is_nothing_to_read(
    recsys: Callable[..., Result], tmp_path: Path
) -> None:
    base = str(tmp_path / "base")
    paths = load_settings().paths
    save_items(paths, items_table([replace(item, text=None) for item in items_of(load_items(paths))]))
    for command in (("compare", base), ("export", base), ("distil", "--student", base)):
        with pytest.raises(DataError, match=r"none of \d+ items has a text"):
            recsys(*command)
