"""What was answered, whoever answered it: one record for recommendation, search and whatever shows items.

The record becomes a line of the log of answers, and impressions and clicks name it by its `request_id`.
Labels, estimates from the log and audits read it back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from recsys import columns
from recsys.documents import JsonObject
from recsys.funnel.slate import Slate

RECOMMEND = "recommend"
SIMILAR = "similar"
SEARCH = "search"

Candidate = tuple[str, float]
"""Id and score of an item that was ranked and not shown."""


@dataclass(frozen=True)
class ShownItem:
    """One place of an answer.

    Attributes:
        position: from 1, over all pages. source: what found it.
        propensity: the probability of having been shown there, where chance had a part; None: it had none.
    """

    item_id: str
    position: int
    score: float
    p_click: float | None = None
    price_micros: int | None = None
    source: str = ""
    propensity: float | None = None


@dataclass(frozen=True)
class LoggedRule:
    """A merchandising rule that fired for an answer, and the version of it that did."""

    rule_id: str
    version: int


@dataclass(frozen=True)
class ServedAnswer:
    """One answer as it was sent. What is None or empty does not apply, or was not known.

    Attributes:
        kind: RECOMMEND, SIMILAR or SEARCH; None in lines of versions that did not say.
        query_id: of a search with all of its pages: the request_id of the first of them.
        surface: the place of the shop, as the request named it.
        query, rewritten_query: as it was typed, and as it was searched for. rewriters: that changed it.
        filters: as the request had them. page: from 1. offset: shown places before this page.
        total: how many items matched. candidates: how many were ranked.
        further: the best of those that were ranked and not shown, best first, down to the setting
            `serving.logged_candidates`.
        degraded: what was not as it should be.
    """

    kind: str | None
    request_id: str
    at: datetime
    bundle_id: str
    items: tuple[ShownItem, ...]
    user_id: str | None = None
    session_id: str | None = None
    surface: str | None = None
    query_id: str | None = None
    query: str | None = None
    rewritten_query: str | None = None
    rewriters: tuple[str, ...] = ()
    rules: tuple[LoggedRule, ...] = ()
    rules_version: int | None = None
    filters: JsonObject | None = None
    sort: str | None = None
    page: int | None = None
    offset: int | None = None
    total: int | None = None
    candidates: int | None = None
    further: tuple[Candidate, ...] = ()
    cold_start: bool | None = None
    degraded: tuple[str, ...] = ()


class AnswerLog(Protocol):
    """Keeps answers; never makes a request wait and never fails it."""

    def append(self, record: ServedAnswer) -> None:
        """Keeps `record`."""
        ...


def served_slate(
    kind: str, slate: Slate, further: tuple[Candidate, ...] = (), filters: JsonObject | None = None
) -> ServedAnswer:
    """The record of a slate.

    Args:
        kind: RECOMMEND or SIMILAR. further: candidates that it does not show. filters: of its request.
    """
    return ServedAnswer(
        kind=kind,
        request_id=slate.request_id,
        at=slate.at,
        bundle_id=slate.bundle_id,
        items=tuple(
            ShownItem(item.item_id, item.position, item.score, item.p_click, item.price_micros, item.source)
            for item in slate.items
        ),
        user_id=slate.user_id,
        filters=filters,
        candidates=slate.candidates,
        rules=tuple(LoggedRule(rule.rule_id, rule.version) for rule in slate.rules),
        rules_version=slate.rules_version or None,
        further=further,
        cold_start=slate.cold_start,
        degraded=slate.degraded,
    )


_ALWAYS = ("request_id", "at", "user_id", "bundle_id", "cold_start", "degraded")
_WHERE_SAID = (
    *("session_id", "surface", "query_id", "query", "rewritten_query", "rewriters", "filters", "sort"),
    *("page", "offset", "total", "candidates", "rules_version"),
)


def answer_line(answer: ServedAnswer) -> JsonObject:
    """`answer` as one line of the log; what was not said is left out, scores of further items are rounded."""
    line: dict[str, Any] = {"kind": answer.kind}
    line |= {name: getattr(answer, name) for name in _ALWAYS}
    line |= {name: value for name in _WHERE_SAID if (value := getattr(answer, name)) not in (None, ())}
    if answer.rules:
        line["rules"] = [{"id": rule.rule_id, "version": rule.version} for rule in answer.rules]
    line["items"] = [_item_line(item) for item in answer.items]
    if answer.further:
        ids, scores = zip(*answer.further, strict=True)
        line["further"] = {"ids": ids, "scores": [float(f"{score:.5g}") for score in scores]}
    return line


def answer_of_line(line: Mapping[str, Any]) -> ServedAnswer:
    """What `answer_line` wrote, in this version or one before it.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no line of an answer.
    """
    further = line.get("further", {"ids": (), "scores": ()})
    return ServedAnswer(
        kind=line.get("kind"),
        request_id=line["request_id"],
        at=datetime.fromisoformat(line["at"]),
        bundle_id=line.get("bundle_id", ""),
        items=tuple(map(_shown_item, line["items"])),
        user_id=line["user_id"],
        rewriters=tuple(line.get("rewriters", ())),
        rules=tuple(LoggedRule(str(rule["id"]), int(rule["version"])) for rule in line.get("rules", ())),
        further=tuple(
            (str(item), _score(score)) for item, score in zip(further["ids"], further["scores"], strict=True)
        ),
        cold_start=line.get("cold_start"),
        degraded=tuple(line.get("degraded", ())),
        **{name: line.get(name) for name in _WHERE_SAID if name != "rewriters"},
    )


def _item_line(item: ShownItem) -> JsonObject:
    line: dict[str, Any] = {
        columns.ITEM_ID: item.item_id,
        columns.POSITION: item.position,
        "score": item.score,
        "p_click": item.p_click,
        columns.PRICE_MICROS: item.price_micros,
        "source": item.source,
    }
    return line if item.propensity is None else {**line, "propensity": item.propensity}


def _shown_item(line: Mapping[str, Any]) -> ShownItem:
    return ShownItem(
        item_id=line[columns.ITEM_ID],
        position=int(line[columns.POSITION]),
        score=_score(line.get("score")),
        p_click=line.get("p_click"),
        price_micros=line.get(columns.PRICE_MICROS),
        source=line.get("source", ""),
        propensity=line.get("propensity"),
    )


def _score(value: float | None) -> float:
    """A score; NaN where it was none that JSON can write."""
    return float("nan") if value is None else float(value)
