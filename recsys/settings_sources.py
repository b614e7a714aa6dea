"""Where settings come from: the folder of the shop, its `recsys.toml`, then the environment.

Read by these few functions and not by pydantic-settings: that passes over a variable of a section that does
not exist, tells nothing of where a value came from, and its import takes 96 ms of CPU where the whole command
line starts in 180.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.errors import ConfigError

SETTINGS_FILE = "recsys.toml"
FEATURE_REPO = "feature_repo"
_NAMED = {
    "RECSYS_HOME": "home",
    "REDIS_URL": "redis_url",
    "DATABASE_URL": "database_url",
    "RECSYS_API_KEY": "api_key",
    "RECSYS_LOG": "log.format",
}


def find_shop(start: Path) -> Path | None:
    """The folder of a shop: the nearest at or above `start` with `recsys.toml` or `feature_repo/`."""
    for folder in (start, *start.parents):
        if (folder / SETTINGS_FILE).exists() or (folder / FEATURE_REPO / "feature_store.yaml").exists():
            return folder
    return None


def check_in_shop(environment: Mapping[str, str], start: Path) -> None:
    """Makes sure that `start` is in a shop, or that the environment names one.

    Raises:
        ConfigError: it is not, and neither RECSYS_HOME nor RECSYS_CONFIG is set.
    """
    if not (environment.get("RECSYS_HOME") or environment.get("RECSYS_CONFIG") or find_shop(start)):
        raise ConfigError(
            f"{start} is not in a shop: no folder from there upwards has {SETTINGS_FILE} or {FEATURE_REPO}/. "
            "Make a shop with `recsys init DIR --from FILES`, or cd into one."
        )


def read_sources(
    environment: Mapping[str, str], file: Path | None, root: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that are not defaults, as `Settings` nests them, and where each came from by dotted name.

    Raises:
        ConfigError: the file is not there or not TOML, or a section is written as a value.
    """
    path = file or Path(environment.get("RECSYS_CONFIG") or root / SETTINGS_FILE)
    values: dict[str, Any] = {}
    if path.exists():
        values = _read_toml(path)
    elif file is not None or environment.get("RECSYS_CONFIG"):
        raise ConfigError(f"{path} does not exist. Create it or unset RECSYS_CONFIG.")
    sources = dict.fromkeys(_dotted(values), str(path))
    given = {field: name for name, field in _NAMED.items() if environment.get(name)}
    for name in environment:
        if name.startswith("RECSYS_") and "__" in name:
            given[name.removeprefix("RECSYS_").lower().replace("__", ".", 1)] = name
    for dotted, name in given.items():
        section, _, field = dotted.rpartition(".")
        group = values.setdefault(section, {}) if section else values
        if not isinstance(group, dict):
            raise ConfigError(f"{path}: {section!r} is a section; write [{section}] and its settings below.")
        group[field] = _parsed(environment[name]) if section else environment[name]
        sources[dotted] = name
    return values, sources


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}. Mend the file or point RECSYS_CONFIG elsewhere.") from error


def _dotted(values: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}.{field}" if isinstance(value, Mapping) else name
        for name, value in values.items()
        for field in (value if isinstance(value, Mapping) else ("",))
    ]


def _parsed(value: str) -> Any:
    """A list is written as in TOML, `[10, 100]`; anything else is text that pydantic casts."""
    if not value.startswith("["):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
