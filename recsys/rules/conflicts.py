"""The written order among rules that fire together: docs/rules.md says the same in words.

Among actions: hide, then filter, then pin, then boost and bury: what is hidden or does not pass is not
pinned, and a pin stands whatever the scores are. Among rules: the higher priority, then the narrower
condition (query is, query contains, category or context, none of them), then the one changed last, then the
smaller id.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from recsys.documents import JsonObject
from recsys.filters import Filters
from recsys.rules.effects import Effects, FiredRule, Hide, Pin, Requirement, Weight
from recsys.rules.filter_documents import filters_to_json
from recsys.rules.rule import (
    Action,
    HideItems,
    Note,
    PinItem,
    Redirect,
    RequireFilters,
    Rule,
    WeighItems,
    action_name,
)

QUERY_IS, QUERY_CONTAINS, OF_PLACE, ANYWHERE = 3, 2, 1, 0  # how narrow the condition is that held
_SHOWN = 3  # item ids that a detail names


@dataclass(frozen=True)
class Firing:
    """A rule whose conditions hold, by a condition that is this narrow."""

    rule: Rule
    narrowness: int


def strength(firing: Firing) -> tuple[int, int, float, str]:
    """What rules that fire are sorted by, the strongest first."""
    changed = firing.rule.changed_at
    return (
        -firing.rule.priority,
        -firing.narrowness,
        float("inf") if changed is None else -changed.timestamp(),
        firing.rule.rule_id,
    )


class _Settled:
    """Effects as they grow, from the strongest rule to the weakest."""

    def __init__(self) -> None:
        self.pins: list[Pin] = []
        self.hides: list[Hide] = []
        self.boosts: list[Weight] = []
        self.filters: list[Requirement] = []
        self.redirect: str | None = None
        self.notes: list[str | JsonObject] = []
        self.fired: list[FiredRule] = []
        self._pinned: set[str] = set()

    def add(self, rule: Rule, action: Action) -> None:
        place = len(self.fired)
        fired = FiredRule(rule.rule_id, rule.name, rule.version, action_name(action), _detail(action))
        if isinstance(action, PinItem):
            if action.item_id in self._pinned:
                fired = fired.ended("overruled", "a stronger rule pins this item")
            else:
                self._pinned.add(action.item_id)
                self.pins.append(Pin(action.item_id, action.position, place))
        elif isinstance(action, Redirect):
            if self.redirect is not None:
                fired = fired.ended("overruled", f"a stronger rule leads to {self.redirect}")
            else:
                self.redirect = action.url
        elif isinstance(action, HideItems):
            self.hides.append(Hide(action.item_ids, action.filters, place))
        elif isinstance(action, WeighItems):
            self.boosts.append(Weight(action.factor, action.item_ids, action.filters, place))
        elif isinstance(action, RequireFilters):
            self.filters.append(Requirement(action.filters, place))
        else:
            self.notes.append(action.content)
        self.fired.append(fired)


def settle(firings: Iterable[Firing], version: int) -> Effects:
    """The effects of all rules that fire."""
    settled = _Settled()
    for firing in sorted(firings, key=strength):
        for action in firing.rule.actions:
            settled.add(firing.rule, action)
    return Effects(
        tuple(settled.pins),
        tuple(settled.hides),
        tuple(settled.boosts),
        tuple(settled.filters),
        settled.redirect,
        tuple(settled.notes),
        tuple(settled.fired),
        version,
    )


def _detail(action: Action) -> str:
    if isinstance(action, PinItem):
        return f"item {action.item_id!r} at position {action.position}"
    if isinstance(action, Redirect):
        return f"to {action.url}"
    if isinstance(action, Note):
        return "for the page"
    if isinstance(action, RequireFilters):
        return f"only {_filters_text(action.filters)}"
    items = [", ".join(map(repr, action.item_ids[:_SHOWN]))] if action.item_ids else []
    if len(action.item_ids) > _SHOWN:
        items[0] += f" and {len(action.item_ids) - _SHOWN} more"
    if action.filters is not None:
        items.append(_filters_text(action.filters))
    what = "; ".join(items)
    return f"{what}, times {action.factor:g}" if isinstance(action, WeighItems) else what


def _filters_text(filters: Filters) -> str:
    return ", ".join(f"{name} {value}" for name, value in filters_to_json(filters).items())
