"""Parts of the test that are measured apart, as masks over its targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, IntArray
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import histories_before
from recsys.evaluation.rankings import seen_items

ALL_CASES = "all"
COLD_EVENTS = 5  # an item or a user with at most so many training events is cold
HISTORY, CATEGORY = "history: ", "category: "  # how the names of these slices begin
HISTORY_LENGTHS = ((0, 0), (1, 5), (6, 20), (21, 50), (51, None))
CATEGORIES_SHOWN = 8
HEAD_SHARE = 0.5  # the head: the most wanted items that together take this share of training events


@dataclass(frozen=True)
class Slice:
    """Some of the targets; a case belongs to the slice if it has such a target, and has only those there.

    Attributes:
        targets: (T,) bool over `EvalCases.targets`.
    """

    name: str
    targets: BoolArray


def slices_of(
    cases: EvalCases, train: Interactions, interactions: Interactions, categories: Sequence[str] = ()
) -> tuple[Slice, ...]:
    """The slices that are not empty, `all` first.

    cold or warm items and users: at most or more than 5 training events. head or tail: whether the item
    is among the most wanted that take half of the training events. repeat or new: whether the user
    had the item before the case's instant. An item that is cold is in the tail as well. Then the users
    by how many actions they had before, and the categories with most targets.

    Args:
        categories: (N + 1,) the category of each item, "" = unknown; none for a shop without any.
    """
    owner = np.repeat(np.arange(len(cases)), np.diff(cases.target_offsets))
    item_events = np.bincount(train.item_index, minlength=len(train.items))
    user_events = np.bincount(train.user_index, minlength=len(train.users))
    cold_item = item_events[cases.targets] <= COLD_EVENTS
    cold_user = user_events[cases.user_index][owner] <= COLD_EVENTS
    head = head_items(item_events)[cases.targets]
    repeat = repeat_targets(cases, interactions)
    masks = {
        ALL_CASES: np.ones(len(cases.targets), np.bool_),
        "cold items": cold_item,
        "warm items": ~cold_item,
        "cold users": cold_user,
        "warm users": ~cold_user,
        "head items": head,
        "tail items": ~head,
        "repeat": repeat,
        "new to the user": ~repeat,
        **_by_history(cases, interactions, owner),
        **_by_category(cases, categories),
    }
    # A slice that is everything says nothing more.
    useful = {n: m for n, m in masks.items() if n == ALL_CASES or (m.any() and not m.all())}
    return tuple(Slice(name, mask) for name, mask in useful.items())


def _by_history(cases: EvalCases, interactions: Interactions, owner: IntArray) -> dict[str, BoolArray]:
    """The targets of users with so many actions strictly before the case's instant."""
    case, _ = histories_before(interactions, cases)
    length = np.bincount(case, minlength=len(cases))  # (U,)
    masks = {}
    for low, high in HISTORY_LENGTHS:
        name = f"{low}+" if high is None else "none" if not high else f"{low}-{high}"
        inside = (length >= low) & (length <= (np.inf if high is None else high))
        masks[f"{HISTORY}{name}"] = inside[owner]
    return masks


def _by_category(cases: EvalCases, categories: Sequence[str]) -> dict[str, BoolArray]:
    """The targets of each of the categories with most targets, the largest first."""
    if not any(categories):
        return {}
    names, codes = np.unique(np.asarray(categories, np.str_), return_inverse=True)
    of_target = codes[cases.targets]
    counts = np.bincount(of_target, minlength=len(names)) * (names != "")
    largest = np.argsort(-counts, kind="stable")[:CATEGORIES_SHOWN]
    return {f"{CATEGORY}{names[code]}": of_target == code for code in largest if counts[code]}


def head_items(item_events: IntArray) -> BoolArray:
    """(N + 1,) bool: the most wanted items that together take half of all events.

    >>> head_items(np.array([0, 1, 6, 2, 1]))
    array([False, False,  True, False, False])
    """
    order = np.argsort(-item_events, kind="stable")
    before = np.cumsum(item_events[order]) - item_events[order]
    head = np.zeros(len(item_events), np.bool_)
    head[order] = (before < HEAD_SHARE * item_events.sum()) & (item_events[order] > 0)
    return head


def repeat_targets(cases: EvalCases, interactions: Interactions) -> BoolArray:
    """(T,) bool: whether the user acted on the target strictly before the case's instant."""
    width = len(interactions.items)
    row, item = seen_items(interactions, cases)
    owner = np.repeat(np.arange(len(cases)), np.diff(cases.target_offsets))
    return np.isin(owner * width + cases.targets, np.unique(row * width + item))


def restrict_cases(cases: EvalCases, targets: BoolArray) -> tuple[EvalCases, IntArray]:
    """The cases that keep a target under the mask, with those targets only, and their old rows."""
    owner = np.repeat(np.arange(len(cases)), np.diff(cases.target_offsets))
    counts = np.bincount(owner[targets], minlength=len(cases))
    rows = np.flatnonzero(counts)
    offsets = np.concatenate([[0], np.cumsum(counts[rows])]).astype(np.int64)
    return EvalCases(cases.user_index[rows], cases.at[rows], offsets, cases.targets[targets]), rows
