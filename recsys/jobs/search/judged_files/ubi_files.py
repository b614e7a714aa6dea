"""A log of user behaviour insights (UBI): queries with what they returned, and events with what was clicked.

Schema: https://github.com/o19s/ubi, versions 1.0 to 1.3; one JSON object a line, bare or as `_source` of an
exported document. Of an event `action_name`, `query_id`, `event_attributes.object.object_id` and
`event_attributes.position.ordinal` (a number, or an object with `index`) are read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.jobs.search.judged_files.click_logs import ClickLog, LoggedItem, click_log
from recsys.jobs.search.judged_files.text_lines import numbered_lines

CLICKS = ("click", "click_through", "item_click", "product_click")
IMPRESSIONS = ("impression", "item_impression", "view_item_list")
_HITS = ("query_response_hit_ids", "query_response_objects_ids", "query_response_object_ids")


def is_ubi_events(path: Path) -> bool:
    """Whether the first line is an event of UBI."""
    for _, line in numbered_lines(path, most=1):
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        return isinstance(document, dict) and "action_name" in document.get("_source", document)
    return False


def read_ubi_log(queries: Path, events: Path) -> ClickLog:
    """What was shown and clicked.

    Where no event says that an item was shown, what a query returned counts as shown, in that order.

    Raises:
        DataError: a line is not an object with the fields that it needs; the message names it.
    """
    texts: dict[str, str] = {}
    returned: list[LoggedItem] = []
    without = 0
    for number, document in _objects(queries):
        query_id = _text(document, "query_id", queries, number)
        text = document.get("user_query")
        if not isinstance(text, str) or not text.strip():
            without += 1
            continue
        texts[query_id] = text
        hits: Any = next((document[name] for name in _HITS if isinstance(document.get(name), list)), [])
        returned += [LoggedItem(query_id, str(hit), place) for place, hit in enumerate(hits, start=1)]
    impressions, clicks = _events(events)
    notes = [f"{without} queries of {queries.name} have no user_query and are left out"] if without else []
    if not impressions:
        impressions = returned
        notes.append("no event says what was shown: all that a query returned counts as shown")
    first = min((each.position for each in (*impressions, *clicks) if each.position is not None), default=1)
    if first == 0:
        impressions, clicks = ([each.moved(1) for each in items] for items in (impressions, clicks))
        notes.append("positions count from 0 there: 1 was added to each")
    return click_log(texts, impressions, clicks, notes)


def _events(path: Path) -> tuple[list[LoggedItem], list[LoggedItem]]:
    """What was shown, and what was clicked."""
    impressions: list[LoggedItem] = []
    clicks: list[LoggedItem] = []
    for number, document in _objects(path):
        action = _text(document, "action_name", path, number)
        if action not in (*CLICKS, *IMPRESSIONS):
            continue
        attributes = document.get("event_attributes")
        shown = attributes.get("object") if isinstance(attributes, dict) else None
        item = shown.get("object_id") if isinstance(shown, dict) else None
        if not isinstance(item, str | int):
            raise DataError(
                f"{path.name}, line {number}: a {action} without event_attributes.object.object_id. Mend or "
                "delete it."
            )
        found = LoggedItem(
            _text(document, "query_id", path, number), str(item), _position(attributes, path, number)
        )
        (clicks if action in CLICKS else impressions).append(found)
    return impressions, clicks


def _position(attributes: Any, path: Path, number: int) -> int | None:
    position = attributes.get("position")
    ordinal = position.get("ordinal") if isinstance(position, dict) else None
    if isinstance(ordinal, dict):
        ordinal = ordinal.get("index")
    if ordinal is None:
        return None
    if isinstance(ordinal, bool) or not isinstance(ordinal, int | float) or ordinal < 0 or ordinal % 1:
        raise DataError(
            f"{path.name}, line {number}: the position {ordinal!r} is not a whole number. Mend it."
        )
    return int(ordinal)


def _text(document: JsonObject, name: str, path: Path, number: int) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise DataError(
            f"{path.name}, line {number}: {name} is {value!r}, not a text. Mend or delete the line."
        )
    return value


def _objects(path: Path) -> Iterator[tuple[int, JsonObject]]:
    for number, line in numbered_lines(path):
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(
                f"{path.name}, line {number} is not JSON: {error}. Write one object a line."
            ) from error
        if isinstance(document, dict) and isinstance(document.get("_source"), dict):
            document = document["_source"]
        if not isinstance(document, dict):
            raise DataError(f"{path.name}, line {number} is not a JSON object. Write one object a line.")
        yield number, document
