"""`recsys config` shows what is in effect and where it came from, and never a secret."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from recsys.cli.config import config
from recsys.config import Settings, load_settings, setting_sources
from recsys.errors import ConfigError
from recsys.jobs.settings import example_toml

app = typer.Typer(rich_markup_mode=None)
app.command()(config)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def settings_shown() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(shown("--json"))
    return document


@pytest.fixture
def file(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = home / "recsys.toml"
    monkeypatch.setenv("RECSYS_CONFIG", str(path))
    path.write_text('[retriever]\nepochs = 7\nwidth = 32\n[text]\nprefix = "passage: "\n')
    return path


def test_every_setting_has_a_row(home: Path) -> None:
    names = set(settings_shown())
    assert {"home", "api_key", "retriever.width", "serving.port"} <= names
    assert len(names) == sum(
        len(value) if isinstance(value, dict) else 1 for value in Settings().model_dump().values()
    )


def test_environment_beats_file_beats_default_and_each_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_RETRIEVER__EPOCHS", "3")
    rows = settings_shown()
    assert rows["retriever.epochs"] == {"value": 3, "source": "RECSYS_RETRIEVER__EPOCHS"}
    assert rows["retriever.width"] == {"value": 32, "source": str(file)}
    assert rows["retriever.layers"] == {"value": 1, "source": "default"}
    assert rows["text.prefix"] == {"value": "passage: ", "source": str(file)}
    assert rows["home"]["source"] == "RECSYS_HOME"


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_secrets_are_never_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://ada:hunter2@localhost:6379/0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hunter2@db/shop?sslpassword=hunter2")
    monkeypatch.setenv("RECSYS_API_KEY", "hunter2")
    output = shown(*arguments)
    assert "hunter2" not in output
    assert "redis://ada:***@localhost:6379/0" in output


def test_a_list_is_given_in_the_environment_as_in_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_EVALUATION__CUTOFFS", "[5, 20]")
    assert settings_shown()["evaluation.cutoffs"] == {
        "value": [5, 20],
        "source": "RECSYS_EVALUATION__CUTOFFS",
    }


def test_a_wrong_setting_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_RETRIEVER__EPOCHS", "many")
    with pytest.raises(ConfigError, match=r"retriever\.epochs.*'many'"):
        CliRunner().invoke(app, [], catch_exceptions=False)


def test_a_section_written_as_a_value_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('retriever = "big"\n')
    monkeypatch.setenv("RECSYS_RETRIEVER__EPOCHS", "3")
    with pytest.raises(ConfigError, match=r"\[retriever\]"):
        load_settings()


def test_sources_take_what_settings_take(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('home = "there"\n[serving]\nport = 4000\n')
    environment = {"RECSYS_SERVING__HOST": "::1"}
    assert setting_sources(environment, file, tmp_path) == {
        "home": str(file),
        "serving.port": str(file),
        "serving.host": "RECSYS_SERVING__HOST",
    }


def test_the_example_changes_nothing_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "recsys.toml").write_text(example_toml())
    assert load_settings({}, start=tmp_path) == Settings(home=tmp_path / ".recsys", root=tmp_path)


def test_the_example_uncommented_is_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (\w+ = )", r"\1", example_toml())
    values = tomllib.loads(text)
    assert {values.pop(name) is not None for name in ("redis_url", "database_url", "api_key")} == {True}
    assert values["evaluation"].pop("test_from") == "2026-10-01"  # examples of what is unset
    assert values["fusion"].pop("cold_weight") == 3
    assert values["health"].pop("data_days") == 90
    assert values["access"].pop("default_rate") == 50
    assert values["text"].pop("query_prefix") == "query: "
    assert values["search"].pop("cursor_key")
    assert values["ads"].pop("token_secret")
    assert values["ads"].pop("velocity_address_clicks") == 100
    assert values["ads"].pop("velocity_agent_clicks") == 50
    assert values["redis"].pop("memory_bytes") == 8_000_000_000
    assert Settings.model_validate(values) == Settings()
    wanted = Settings().model_dump(by_alias=True, exclude={"root", "redis_url", "database_url", "api_key"})
    del wanted["evaluation"]["test_from"], wanted["fusion"]["cold_weight"], wanted["health"]["data_days"]
    del wanted["access"]["default_rate"], wanted["text"]["query_prefix"], wanted["search"]["cursor_key"]
    del wanted["ads"]["token_secret"], wanted["ads"]["velocity_address_clicks"]
    del wanted["ads"]["velocity_agent_clicks"], wanted["redis"]["memory_bytes"]
    assert {name: set(value) for name, value in values.items() if isinstance(value, dict)} == {
        name: set(value) for name, value in wanted.items() if isinstance(value, dict)
    }


def test_the_example_is_printed_whole(home: Path) -> None:
    assert shown("--example") == example_toml()
