"""Rules and segments as documents: what files, the database and the HTTP service hold of them."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.filters import Filters
from recsys.json_bounds import nesting_depth
from recsys.rules.document_fields import MAX_VALUES, DocumentFields
from recsys.rules.expression_parsing import MAX_LENGTH, parse_expression
from recsys.rules.fields import ANY_ATTRIBUTE, FieldNames
from recsys.rules.filter_documents import filters_to_json, parse_filters
from recsys.rules.query_text import query_key
from recsys.rules.rule import (
    ACTIONS,
    SURFACES,
    Action,
    Conditions,
    HideItems,
    Note,
    PinItem,
    Redirect,
    RequireFilters,
    Rule,
    Segment,
    WeighItems,
    action_name,
)

MAX_ACTIONS = 50
MAX_QUERIES = 200
LAST_POSITION = 100
LARGEST_FACTOR = 100.0  # of a boost; its inverse is the smallest of a bury
MAX_NOTE = 4000  # characters of its JSON
MAX_URL = 2000
MAX_DOCUMENT = 1_000_000  # characters of a rule's JSON
MAX_DEPTH = 30  # arrays and objects within one another, the rule's own included

_RULE = ("id", "name", "enabled", "surfaces", "priority", "when", "do")
_WHEN = (
    "query_is",
    "query_contains",
    "categories",
    "context_items",
    "context_categories",
    "segment",
    "from",
    "until",
)
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


def parse_rule(document: object) -> Rule:
    """The rule that `document` says, not stored yet.

    Raises:
        DataError: a field is unknown, missing or wrong; the message names the rule and the field.
    """
    fields = DocumentFields.of(document, "the rule", _RULE)
    rule_id = fields.identifier("id")
    fields = DocumentFields(fields.document, f"rule {rule_id!r}")
    surfaces = fields.texts("surfaces")
    for surface in surfaces:
        if surface not in SURFACES:
            raise DataError(
                f"{fields.where}: surfaces has {surface!r}. Write {', '.join(SURFACES)} or leave it out."
            )
    documents = fields.objects("do", MAX_ACTIONS)
    if not documents:
        raise DataError(f"{fields.where} does nothing. Write at least one action under `do`.")
    rule = Rule(
        rule_id,
        fields.text("name", rule_id),
        tuple(_action(each, f"{fields.where}, action {n}") for n, each in enumerate(documents, 1)),
        _conditions(fields.document.get("when", {}), f"{fields.where}, when"),
        tuple(surface for surface in SURFACES if surface in surfaces),
        fields.whole("priority", -1000, 1000, 0),
        fields.flag("enabled", True),
    )
    if not is_storable(rule_to_json(rule)):
        raise DataError(
            f"{fields.where} is too large, or has a text or number that JSON cannot hold. Mend that."
        )
    return rule


def is_storable(document: object, longest: int = MAX_DOCUMENT) -> bool:
    """Whether databases keep and answers can show `document`: no NUL, no infinity, not nested deeply."""
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
        flat = nesting_depth(text.encode()) <= MAX_DEPTH
        return flat and "\\u0000" not in text and len(text) <= longest
    except (TypeError, ValueError, RecursionError):  # UnicodeEncodeError is a ValueError
        return False


def parse_segment(document: object, names: FieldNames = ANY_ATTRIBUTE) -> Segment:
    """The segment that `document` says, not stored yet.

    Raises:
        DataError: a field is unknown, missing or wrong, or its expression is.
    """
    fields = DocumentFields.of(document, "the segment", ("name", "is"))
    segment = Segment(fields.identifier("name"), fields.text("is", longest=MAX_LENGTH))
    try:
        parse_expression(segment.expression, names)
    except DataError as error:
        raise DataError(f"segment {segment.name!r}: {error}") from error
    return segment


def segment_to_json(segment: Segment) -> JsonObject:
    """The document of `segment`, which `parse_segment` reads."""
    return {"name": segment.name, "is": segment.expression}


def rule_to_json(rule: Rule) -> JsonObject:
    """The document of `rule`, which `parse_rule` reads: what people decide, without version and instant."""
    return {
        "id": rule.rule_id,
        "name": rule.name,
        "enabled": rule.enabled,
        "surfaces": list(rule.surfaces),
        "priority": rule.priority,
        "when": _when_to_json(rule.conditions),
        "do": [_action_to_json(action) for action in rule.actions],
    }


def _conditions(document: object, where: str) -> Conditions:
    fields = DocumentFields.of(document, where, _WHEN)
    for name in ("query_is", "query_contains"):
        for text in fields.texts(name, MAX_QUERIES):
            if not query_key(text):
                raise DataError(f"{where}: {name} has {text!r}, which has no word. Write one.")
    starts_at, ends_at = fields.instant("from"), fields.instant("until")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise DataError(f"{where}: until {ends_at.isoformat()} is not after from {starts_at.isoformat()}.")
    return Conditions(
        fields.texts("query_is", MAX_QUERIES),
        fields.texts("query_contains", MAX_QUERIES),
        fields.texts("categories"),
        fields.texts("context_items"),
        fields.texts("context_categories"),
        None if fields.document.get("segment") is None else fields.identifier("segment"),
        starts_at,
        ends_at,
    )


def _when_to_json(conditions: Conditions) -> JsonObject:
    def iso(instant: datetime | None) -> str | None:
        return None if instant is None else instant.isoformat()

    values = (
        list(conditions.query_is),
        list(conditions.query_contains),
        list(conditions.categories),
        list(conditions.context_items),
        list(conditions.context_categories),
        conditions.segment,
        iso(conditions.starts_at),
        iso(conditions.ends_at),
    )
    return {name: value for name, value in zip(_WHEN, values, strict=True) if value not in (None, [])}


def _action(document: object, where: str) -> Action:
    name = document.get("action") if isinstance(document, Mapping) else None
    if not isinstance(name, str) or name not in _READERS:
        raise DataError(f"{where}: action is {name!r}. Write one of {', '.join(ACTIONS)}.")
    known, read = _READERS[name]
    return read(DocumentFields.of(document, f"{where} ({name})", ("action", *known)))


def _pin(fields: DocumentFields) -> Action:
    return PinItem(fields.text("item"), fields.whole("position", 1, LAST_POSITION))


def _chosen(fields: DocumentFields) -> tuple[tuple[str, ...], Filters | None]:
    """Which items an action is about: by id, by filters, or both."""
    items, filters = fields.texts("items", MAX_VALUES), fields.document.get("filters")
    if not items and filters is None:
        raise DataError(f"{fields.where} is about no item. Write `items`, `filters` or both.")
    return items, None if filters is None else parse_filters(filters, f"{fields.where}, filters")


def _hide(fields: DocumentFields) -> Action:
    return HideItems(*_chosen(fields))


def _boost(fields: DocumentFields) -> Action:
    factor = fields.number("factor")
    if not 1 < factor <= LARGEST_FACTOR:
        raise fields.fail("factor", f"a number above 1, up to {LARGEST_FACTOR:g}")
    return WeighItems(factor, *_chosen(fields))


def _bury(fields: DocumentFields) -> Action:
    factor = fields.number("factor")
    if not 1 / LARGEST_FACTOR <= factor < 1:
        raise fields.fail("factor", f"a number below 1, from {1 / LARGEST_FACTOR:g}")
    return WeighItems(factor, *_chosen(fields))


def _filter(fields: DocumentFields) -> Action:
    return RequireFilters(parse_filters(fields.document.get("filters"), f"{fields.where}, filters"))


def _redirect(fields: DocumentFields) -> Action:
    url = fields.text("url", longest=MAX_URL)
    if not is_safe_url(url):
        raise fields.fail("url", "an http(s) address, or a path of this site such as /help")
    return Redirect(url)


def is_safe_url(url: str) -> bool:
    """Whether a page may be sent to `url`: http or https with a host, or a path of the same site.

    >>> [is_safe_url(url) for url in ("/help", "https://a.example/x", "//a.example", "javascript:alert(1)")]
    [True, True, False, False]
    """
    if _CONTROL.search(url):  # browsers drop some of them and read a backslash as a slash
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _note(fields: DocumentFields) -> Action:
    content = fields.document.get("note")
    if isinstance(content, str | dict) and content and is_storable(content, MAX_NOTE):
        return Note(content)
    raise fields.fail("note", f"a text or a JSON object of up to {MAX_NOTE} characters")


def _action_to_json(action: Action) -> JsonObject:
    document: dict[str, Any] = {"action": action_name(action)}
    if isinstance(action, PinItem):
        document |= {"item": action.item_id, "position": action.position}
    elif isinstance(action, Redirect):
        document["url"] = action.url
    elif isinstance(action, Note):
        document["note"] = action.content
    elif isinstance(action, RequireFilters):
        document["filters"] = filters_to_json(action.filters)
    else:
        if isinstance(action, WeighItems):
            document["factor"] = action.factor
        if action.item_ids:
            document["items"] = list(action.item_ids)
        if action.filters is not None:
            document["filters"] = filters_to_json(action.filters)
    return document


_READERS: Mapping[str, tuple[tuple[str, ...], Callable[[DocumentFields], Action]]] = {
    "pin": (("item", "position"), _pin),
    "hide": (("items", "filters"), _hide),
    "boost": (("factor", "items", "filters"), _boost),
    "bury": (("factor", "items", "filters"), _bury),
    "filter": (("filters",), _filter),
    "redirect": (("url",), _redirect),
    "note": (("note",), _note),
}
