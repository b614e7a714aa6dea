"""The settings in effect, where each came from, and a file to start from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from recsys.addresses import masked_url
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.settings_section import Section

MASK = "***"
_UNSET = {"root": "the nearest folder above (or above RECSYS_HOME) with recsys.toml or feature_repo/"}
_LIMITS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_COMMENTS = {
    "home": "where everything is kept, relative to the folder of this file",
    "redis_url": "a Redis of your own; unset: `recsys up` starts one",
    "database_url": "unset: an SQLite file in the home",
    "api_key": "an operator's key of the service; better in the environment, as RECSYS_API_KEY",
}
_PLACEHOLDERS = {
    "redis_url": "redis://:password@localhost:6379/0",
    "database_url": "postgresql://user:password@localhost/shop",
    "api_key": "a long random text",
    "access.default_rate": 50.0,
    "ads.token_secret": "a long random text",
    "ads.velocity_address_clicks": 100,
    "ads.velocity_agent_clicks": 50,
    "evaluation.test_from": "2026-10-01",
    "fusion.cold_weight": 3.0,
    "health.data_days": 90.0,
    "redis.memory_bytes": 8_000_000_000,
    "search.cursor_key": "a long random text",
    "text.query_prefix": "query: ",
}


@dataclass(frozen=True)
class EffectiveSetting:
    """One setting: its dotted name, its value (secrets masked) and where that came from."""

    name: str
    value: Any
    source: str


@dataclass(frozen=True)
class EffectiveSettings:
    """Every setting, those of the top level first."""

    settings: tuple[EffectiveSetting, ...]

    def to_json(self) -> JsonObject:
        """What `recsys config --json` prints."""
        return {each.name: {"value": each.value, "source": each.source} for each in self.settings}


def effective_settings(settings: Settings, sources: Mapping[str, str]) -> EffectiveSettings:
    """Every setting in effect, with its source as `sources` says, else the default."""
    return EffectiveSettings(
        tuple(
            EffectiveSetting(name, _plain(name, value), sources.get(name, _UNSET.get(name, "default")))
            for name, _, value in _leaves(settings)
        )
    )


def example_toml() -> str:
    """A `recsys.toml` with every setting at its default, commented out, and what it means."""
    lines = [
        "# Settings of recsys. Uncomment what you change; `recsys config` shows what is in effect.",
        "# The environment wins over this file: RECSYS_HOME, REDIS_URL, DATABASE_URL, RECSYS_API_KEY,",
        "# RECSYS_LOG and RECSYS_<SECTION>__<SETTING> for the rest, for example RECSYS_RETRIEVER__EPOCHS=3.",
        "",
    ]
    sections = {
        field.alias or name: type(getattr(Settings(), name)).__doc__ or ""
        for name, field in Settings.model_fields.items()
    }
    section = ""
    for name, field, value in _leaves(Settings()):
        group, _, short = name.rpartition(".")
        if name == "root":  # found, never set
            continue
        if group != section:
            section = group
            meaning = sections[group].splitlines()[0]
            lines += ["", f"[{group}]  # {meaning}"]
        about = _about(short if group == "" else "", field)
        shown = json.dumps(_plain(name, value) if value is not None else _PLACEHOLDERS[name])
        lines.append(f"# {short} = {shown}" + (f"  # {about}" if about else ""))
    return "\n".join(lines) + "\n"


def _leaves(settings: Section, prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    """(dotted name, field, value) of every setting, those of the top level first."""
    sections = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Section):
            sections.append((field.alias or name, value))
        else:
            yield prefix + name, field, value
    for name, value in sections:
        yield from _leaves(value, f"{prefix}{name}.")


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        return masked_url(value.get_secret_value()) if name.endswith("_url") else MASK
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        return {
            key: of if isinstance(of, bool) else of.model_dump(exclude_defaults=True)
            for key, of in value.items()
        }
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _about(top_level_name: str, field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in _LIMITS.items()
        if hasattr(limit, name)
    ]
    return "; ".join(filter(None, (field.description or _COMMENTS.get(top_level_name), " and ".join(limits))))
