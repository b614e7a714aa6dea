"""Commands that work for minutes say at once what would stop them at the end: the work is made to fail."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import load_settings
from recsys.errors import RecsysError
from recsys.home import HomePaths
from recsys.instants import utc_now
from recsys.jobs.data import refresh
from recsys.jobs.data.import_shop import import_files
from recsys.jobs.demo import demo
from recsys.jobs.encoders import data as encoder_data
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.encoders.text_vectors import TextVectors
from recsys.stores.features import build
from recsys.stores.registry.registry import Registry
from recsys.training.retriever.checkpoint import STATE_FILE
from tests.encoders.tiny_models import save_bert
from tests.test_closed_loop import MAPPING, write_shop
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home into which thirty users' purchases of 150 days were imported, without features."""
    folder = tmp_path_factory.mktemp("imported")
    write_shop(folder / "files")
    (folder / "shop.toml").write_text(MAPPING)
    paths = HomePaths(folder / "home")
    import_files(paths, str(folder / "shop.toml"), folder / "files", utc_now())
    return paths.home


@pytest.fixture
def shop(home: Path, imported: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own with that shop, whose work is an error if any begins."""
    shutil.copytree(imported, home, dirs_exist_ok=True)

    def work(*_: Any, **__: Any) -> Any:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(build, "complete_lake", work)
    monkeypatch.setattr(refresh, "run_import", work)
    monkeypatch.setattr(demo, "running_redis", work)
    monkeypatch.setattr(TextVectors, "vectors", work)
    monkeypatch.setattr(encoder_data, "text_pairs", work)
    return home


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is below no checkout."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def error_of(*arguments: str) -> str:
    """The message that ends a command of `recsys` with exit code 1."""
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, RecsysError), (arguments, result.output, result.exception)
    return str(result.exception)


def test_the_work_would_begin_without_an_obstacle(shop: Path) -> None:
    for command in (["train"], ["tune", "--trials", "1"], ["ablate"], ["features", "build"], ["evaluate"]):
        assert "the work has begun" in str(CliRunner().invoke(app, command).exception), command


@pytest.mark.parametrize(
    "command",
    [
        ["train"],
        ["tune", "--trials", "1"],
        ["ablate"],
        ["evaluate"],
        ["features", "build"],
        ["refresh"],
        ["demo"],
    ],
    ids=" ".join,
)
def test_a_missing_feature_repository_is_told_before_work(
    command: list[str], shop: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_IMPORT__MAPPING", str(shop / "data" / "mapping.toml"))
    monkeypatch.setenv("RECSYS_IMPORT__SOURCE", str(shop))
    if command == ["demo"]:
        monkeypatch.setattr(demo, "DEMO_MAPPING", "two-tastes")
    assert "feature_store.yaml does not exist. Run in a shop's folder" in error_of(*command)
    assert not (shop / "features").exists()


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["tune", "--trials", "1", "--out"], "--out"),
        (["evaluate", "--rankings"], "--rankings"),
        (["encoder", "images", "items.csv", "--encoder", "clip", "--to"], "--to"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_path_that_cannot_be_written_is_told_before_work(
    command: list[str], option: str, shop: Path, tmp_path: Path
) -> None:
    assert f"{option} {tmp_path} is a folder" in error_of(*command, str(tmp_path))
    (tmp_path / "file").write_text("")
    below = str(tmp_path / "file" / "out")
    assert f"{option} {below} cannot be written" in error_of(*command, below)


def test_images_do_not_replace_the_file_that_they_are_named_in(tmp_path: Path, home: Path) -> None:
    items = tmp_path / "image.parquet"  # the name that the result has without --to
    items.write_bytes(b"PAR1")
    assert "is the file that is read" in error_of("encoder", "images", str(items), "--encoder", "clip")
    assert items.read_bytes() == b"PAR1"


@pytest.mark.parametrize(
    "command", [["train"], ["tune", "--trials", "1"], ["ablate"], ["evaluate"]], ids=" ".join
)
def test_a_protocol_that_the_data_cannot_take_is_told_before_work(
    command: list[str], shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "protocol 'by-hand' is unknown" in error_of(*command, "--protocol", "by-hand")
    monkeypatch.setenv("RECSYS_EVALUATION__TEST_DAYS", "140")
    assert "no event is left for training" in error_of(*command, "--protocol", "time-split")


@pytest.mark.parametrize(
    "command", [["ablate"], ["evaluate"], ["encoder", "compare", "minilm"]], ids=" ".join
)
def test_a_protocol_that_holds_nothing_back_is_not_tested_on(command: list[str], shop: Path) -> None:
    assert "protocol 'all' holds nothing back" in error_of(*command, "--protocol", "all")


def test_seen_items_that_leave_no_case_are_told_before_a_training(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: Any) -> Any:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(build, "complete_lake", work)
    write_shop(tmp_path / "files")
    head, *lines = (tmp_path / "files" / "orders.csv").read_text().splitlines()
    orders = [line.split(",", 2) for line in lines]
    # Every user buys one thing again and again.
    same = [head, *(f"{user},i{int(user[1:]) % 24},{rest}" for user, _, rest in orders)]
    (tmp_path / "files" / "orders.csv").write_text("\n".join(same) + "\n")
    (tmp_path / "shop.toml").write_text(MAPPING)
    import_files(HomePaths(home), str(tmp_path / "shop.toml"), tmp_path / "files", utc_now())
    assert "--seen keep" in error_of("evaluate", "--seen", "remove")
    assert "the work has begun" in str(CliRunner().invoke(app, ["evaluate", "--seen", "keep"]).exception)


def test_nothing_to_resume_is_told_before_work(shop: Path) -> None:
    assert "no train run broke off with a checkpoint" in error_of("train", "--resume")
    assert "no train-incremental run broke off" in error_of("train", "--incremental", "--resume")


def test_a_run_of_other_settings_is_not_resumed(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    sections = settings.model_dump(mode="json", include={"text", "retriever"})
    with Registry.open(settings) as registry:
        run_id = registry.start_run("train", sections, None)
    folder = settings.paths.runs / run_id / "retriever"
    folder.mkdir(parents=True)
    (folder / STATE_FILE).write_text("{}")
    assert "the work has begun" in str(CliRunner().invoke(app, ["train", "--resume"]).exception)
    monkeypatch.setenv("RECSYS_RETRIEVER__THREADS", "2")  # of no influence
    assert "the work has begun" in str(CliRunner().invoke(app, ["train", "--resume"]).exception)
    monkeypatch.setenv("RECSYS_RETRIEVER__WIDTH", "32")
    assert f"{run_id!r} was of retriever.width = 64, and today it is 32" in error_of("train", "--resume")


def test_nothing_to_go_on_from_is_told_before_work(shop: Path) -> None:
    assert "no bundle is in production" in error_of("train", "--incremental")
    assert "cannot be trained incrementally" in error_of(
        "train", "--incremental", "--protocol", "leave-one-out"
    )


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        (["--validation-chooses"], {"parent": "older"}, "goes on from 'older'"),
        (["--seeds", "2"], {"settings": {"fusion": {"experts": 3}}}, "trained with other settings"),
    ],
    ids=["parent", "settings"],
)
def test_what_a_second_training_lacks_is_told_before_the_evaluation(
    options: list[str],
    changes: dict[str, Any],
    message: str,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, bundle = load_settings(), tiny_bundle("old")
    manifest = bundle.manifest.model_copy(update={"dataset": "two-tastes", **changes})
    with Registry.open(settings) as registry:
        path = save_bundle(tiny_bundle("old", manifest=manifest), settings.paths.bundles)
        registry.register(manifest, path)
    assert message in error_of("evaluate", "--bundle", "old", *options)


def test_tuning_says_before_features_that_its_study_or_users_do_not_fit(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "the work has begun" in str(CliRunner().invoke(app, ["tune", "--trials", "1"]).exception)
    assert "cannot be compared" in error_of("tune", "--trials", "1", "--sample", "0.9")
    monkeypatch.setenv("RECSYS_TUNE__SPACE", "[]")
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delenv("RECSYS_TUNE__SPACE")
    assert "Optuna is not installed" in error_of("tune", "--trials", "1", "--study", "other")


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_refresh_without_redis_reads_no_file(
    shop: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_IMPORT__MAPPING", str(shop / "data" / "mapping.toml"))
    monkeypatch.setenv("RECSYS_IMPORT__SOURCE", str(shop))
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{unused_port}/0")
    assert "redis" in error_of("refresh")


def test_the_demo_says_before_its_import_that_its_port_is_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: Any) -> Any:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(demo, "running_redis", work)
    monkeypatch.setattr(demo, "demo_folder", lambda paths: None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("RECSYS_SERVING__PORT", str(server.getsockname()[1]))
        assert "has the port. Stop it" in error_of("demo", "--no-serve")
    assert "the work has begun" in str(CliRunner().invoke(app, ["demo", "--no-serve"]).exception)


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    return str(save_bert(tmp_path / "bert", ["green", "tea", "hammer", "no"]))


def test_encoders_say_before_they_read_texts_what_they_cannot_do(
    shop: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = error_of("encoder", "compare", encoder, "no/such-encoder")
    assert "no/such-encoder" in compare
    distil = error_of("encoder", "distil", "--teacher", encoder, "--student", "no/such-encoder")
    assert "no/such-encoder" in distil
    assert "--layers 99" in error_of("encoder", "train", "--from", encoder, "--layers", "99")
    assert "--to 'int7' is unknown" in error_of("encoder", "export", "no/such-encoder", "--to", "int7")
    (shop / "encoders").write_text("")
    assert "cannot be written" in error_of("encoder", "train", "--from", encoder)


def test_a_command_as_it_is_typed_ends_at_once_with_one_line(imported: Path, nowhere: Path) -> None:
    before = set(imported.rglob("*"))
    environment = {**os.environ, "RECSYS_HOME": str(imported)}
    command = [sys.executable, "-m", "recsys.cli.app", "features", "build"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert set(imported.rglob("*")) == before
