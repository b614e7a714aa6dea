"""Finding and reading mapping files; a wrong key is answered with the nearest right one."""

import hashlib
import tomllib
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from recsys.documents import JsonObject
from recsys.errors import ConfigError, did_you_mean
from recsys.ingest.mapping.schema import ShopMapping

_TEMPLATE = "template.toml"


def shipped_mappings() -> tuple[str, ...]:
    """Names of the mappings that come with the package."""
    folder = resources.files("recsys") / "mappings"
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if _is_mapping(entry.name))
    )


def template_text() -> str:
    """The mapping with every key and what it means, to begin one's own with."""
    return (resources.files("recsys") / "mappings" / _TEMPLATE).read_text("utf-8")


def mapping_text(name: str) -> tuple[str, str]:
    """Where a mapping is and what it says, by shipped name or by path.

    Raises:
        ConfigError: there is none; the message lists what there is.
    """
    path = Path(name)
    try:
        if path.suffix == ".toml" or path.exists():
            return str(path), path.read_text("utf-8")
        if name in shipped_mappings():
            entry = resources.files("recsys") / "mappings" / f"{name}.toml"
            return str(entry), entry.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"mapping {name}: {error}. Give the path of a readable UTF-8 file.") from error
    shipped = shipped_mappings()
    raise ConfigError(
        f"mapping {name!r} is unknown.{did_you_mean(name, shipped)} Shipped are: {', '.join(shipped)}; "
        "for your own give the path of a .toml file."
    )


def load_mapping(name: str) -> ShopMapping:
    """The mapping of a shipped name or of a path.

    Raises:
        ConfigError: the file, the key or its value is wrong; the message names all three.
    """
    path, text = mapping_text(name)
    return parse_mapping(text, path)


def parse_mapping(text: str, path: str) -> ShopMapping:
    """The mapping that `text` says; `path` names it in errors.

    Raises:
        ConfigError: no TOML, an unknown key, or a value that does not fit.
    """
    try:
        return ShopMapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}. Mend the TOML.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {_explained(first)}") from error


def mapping_sha256(text: str) -> str:
    """The hash that DatasetInfo carries."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _is_mapping(name: str) -> bool:
    return name.endswith(".toml") and name != _TEMPLATE


def _explained(error: Any) -> str:
    place = tuple(error["loc"])
    key = _dotted(place)
    if error["type"] == "extra_forbidden":
        valid = _keys_at(place[:-1])
        hint = did_you_mean(str(place[-1]), valid)
        return f"key {key!r} is unknown.{hint} Here you can write: {', '.join(valid)}."
    if error["type"] == "missing":
        return f"key {key!r} is missing. `recsys/mappings/template.toml` shows how to write it."
    message = error["msg"].removeprefix("Value error, ")
    shown = f" (got {error['input']!r})" if isinstance(error["input"], str | int | float) else ""
    return f"key {key!r}: {message}{shown}." if key else f"{message}."


def _dotted(place: tuple[Any, ...]) -> str:
    """`events[0].time.unit`; lists count from 0 as in the file's order."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _keys_at(place: tuple[Any, ...]) -> list[str]:
    """The keys that the table at `place` takes."""
    model: Any = ShopMapping
    for part in place:
        if isinstance(part, str) and isinstance(model, type) and part in _fields(model):
            model = _model_in(_fields(model)[part])
    return sorted(_fields(model)) if model is not None else []


def _fields(model: type[BaseModel]) -> JsonObject:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> Any:
    """The pydantic class inside tuple[X, ...], dict[str, X], X | None, Annotated[X, ...]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, dict, Union, UnionType, Annotated):
        for inner in get_args(annotation):
            found = _model_in(inner)
            if found is not None:
                return found
    return None
