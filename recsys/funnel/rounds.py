"""Rounds of retrieval and reading, until enough is found that may be shown now."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recsys.arrays import BoolArray, IntArray
from recsys.funnel.candidates import RULE
from recsys.funnel.catalog import Catalog, passes_now
from recsys.funnel.online_features import FeatureRows, concatenate_rows
from recsys.funnel.ranking import Ranked, concatenate_ranked
from recsys.funnel.requests import RecommendRequest, SimilarRequest

MOST_ROUNDS = 4  # of retrieval and reading, where what was found does not pass now; one is usual

# What a look finds in a pool (N + 1,) of items, and the views that it read; it reads where it is told to.
Look = Callable[[BoolArray, bool], tuple[Ranked, FeatureRows | None]]


@dataclass(frozen=True)
class Round:
    """One look: the pool (N + 1,) that it looked at, what it found there and the views that it read."""

    pool: BoolArray
    found: Ranked
    rows: FeatureRows | None


@dataclass(frozen=True)
class Filled:
    """What may be shown as of now.

    Attributes:
        rows: the views of all that was found; None where nothing was read.
        complete: whether the store was there for all of it.
    """

    ranked: Ranked
    rows: FeatureRows | None
    complete: bool


def fill_slate(
    catalog: Catalog, allowed: BoolArray, request: RecommendRequest | SimilarRequest, look: Look, read: bool
) -> Filled:
    """What of the items that are `allowed` (N + 1,) may be shown, as many as the request asks for or more.

    The online store knows best what is in stock and what it costs, so that is asked after retrieval. If
    too little is left, `look` goes on among what it did not look at, and first among what was in stock
    when the bundle was made: up to MOST_ROUNDS times, each a retrieval and a read like the first.

    Args:
        read: whether the online store is to be asked.
    """
    rest = allowed
    parts: list[Ranked] = []
    reads: list[FeatureRows] = []
    for number in range(MOST_ROUNDS):
        pool = rest
        if not request.filters.include_unavailable and (number or not read):
            in_stock = rest & catalog.items.available
            pool = in_stock if in_stock.any() or not read else rest
        found, rows = look(pool, read)
        if number and read and rows is None:
            return Filled(concatenate_ranked(parts), concatenate_rows(reads), False)
        if rows is not None:
            reads.append(rows)
        read = rows is not None
        index = found.candidates.index
        parts.append(found.take(passes_now(catalog, index, request.filters, rows)))
        if not len(index) or sum(map(len, parts)) >= request.k:
            break
        rest = rest.copy()  # the caller's own; seldom needed
        rest[index] = False
        if not rest.any():
            break
    return Filled(concatenate_ranked(parts), concatenate_rows(reads) if reads else None, read)


def recording(look: Look, rounds: list[Round]) -> Look:
    """`look`, every round of which is added to `rounds`: for an explanation."""

    def recorded(pool: BoolArray, read: bool) -> tuple[Ranked, FeatureRows | None]:
        before = pool.copy()  # the caller goes on with it
        found, rows = look(pool, read)
        rounds.append(Round(before, found, rows))
        return found, rows

    return recorded


def look_at_pinned(catalog: Catalog, look: Look, request: SimilarRequest, index: IntArray) -> Ranked:
    """Items that a rule pins and `look` may not have found; those that may be shown now."""
    pool = np.zeros(len(catalog), bool)
    pool[index] = True
    found, rows = look(pool, True)
    source = np.full(len(found), RULE, np.int8)
    found = replace(found, candidates=replace(found.candidates, source=source))
    return found.take(passes_now(catalog, found.candidates.index, request.filters, rows))
