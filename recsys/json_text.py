"""JSON objects as texts: one text for each object, and bounds on what strangers may send."""

from collections.abc import Mapping
from typing import Any

import orjson

from recsys.documents import JsonObject


def sorted_json(value: Any, most_bytes: int, most_depth: int) -> str:
    """The JSON object `value` as text with sorted keys, so that equal objects have equal texts.

    Args:
        most_bytes: of the text in UTF-8. most_depth: objects and lists inside each other.

    Raises:
        ValueError: it is no object, too large, too deep, or holds what JSON has not; the message says which.

    >>> sorted_json({"b": [1, 2.5], "a": {"min": 0}}, 100, 2)
    '{"a":{"min":0},"b":[1,2.5]}'
    """
    if not isinstance(value, Mapping):
        raise ValueError("is not a JSON object")
    if json_depth(value, most_depth) > most_depth:
        raise ValueError(f"has objects or lists more than {most_depth} deep inside each other")
    try:
        text = orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)
    except (TypeError, UnicodeError) as error:  # orjson's errors are TypeErrors
        raise ValueError(f"holds what JSON does not have: {error}") from error
    if len(text) > most_bytes:
        raise ValueError(f"is {len(text)} bytes of JSON, and {most_bytes} are the most")
    return text.decode()


def json_object(text: str) -> JsonObject:
    """The object that `sorted_json` wrote."""
    found: JsonObject = orjson.loads(text)
    return found


def json_depth(value: Any, most: int) -> int:
    """How many objects and lists lie inside each other, counted up to `most` + 1; 0 for a plain value.

    >>> json_depth({"a": [{"b": 1}]}, 10), json_depth("text", 10)
    (3, 0)
    """
    depth, level = 0, [value]
    while depth <= most and (level := [each for each in level if isinstance(each, Mapping | list | tuple)]):
        depth += 1
        level = [
            inside for each in level for inside in (each.values() if isinstance(each, Mapping) else each)
        ]
    return depth


def _plain(value: Any) -> Any:
    """`value` with dicts for mappings; raises TypeError for NaN, infinity and names that are no texts."""
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name that is not a text")
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise TypeError(f"the number {value}")
    if value is not None and not isinstance(value, str | int | float | bool):
        raise TypeError(f"a {type(value).__name__}")
    return value
