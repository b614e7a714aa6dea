"""Do the ids of a shop's catalog and of its customers meet those of its events?

Nothing else tells: an import whose ids do not meet is complete, and its items have neither titles nor prices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow.compute as pc

from recsys.arrays import Column
from recsys.ingest.warnings import ImportWarnings

_ALIKE: dict[str, Callable[[str], str]] = {
    "without leading zeros": lambda name: name.lstrip("0"),
    "without upper and lower case": str.casefold,
    "without a trailing `.0`": lambda name: name.removesuffix(".0"),
    "without what stands before the last `/`, `:` or `|`": lambda name: _last_part(name),
    "without blanks and hyphens": lambda name: name.translate({ord(mark): None for mark in " -_."}),
}
_SAMPLE = 1000


@dataclass(frozen=True)
class Sides:
    """What the two sides of a comparison are called in its message.

    Attributes:
        listed: where the ids are listed, such as `the catalog`. ids: what they are ids of.
        lost: what is lost where they do not meet. keys: where the mapping names both columns.
        least: share of the smaller side that must meet.
    """

    listed: str
    ids: str
    lost: str
    keys: str
    least: float


ITEMS = Sides(
    "the catalog",
    "item ids of the events",
    "Items without a row have no title, text, category or price",
    "`id` of [items] and `item` of [[events]]",
    0.5,
)
USERS = Sides(
    "the user file",
    "user ids of the events",
    "Users without a row have no attributes",
    "`id` of [users] and `user` of [[events]]",
    0.1,  # most customers are silent, and many visitors are no customers
)
VECTORS = Sides(
    "the file of vectors",
    "item ids of the catalog",
    "Items without a row have no vector",
    "`id` of the vectors and `id` of [items]",
    0.1,  # a new product has no image yet
)


def joined_keys(name: str, on: str) -> Sides:
    """The sides of a file that is joined as `name` to the column `on` of the rows of another."""
    return Sides(
        f"the joined file {name!r}",
        f"keys in {on!r}",
        "Rows without a match have none of its columns",
        f"`on` and `id` of the join {name!r}",
        0.1,
    )


def ids_beyond(known: Column, column: Column) -> set[str]:
    """The texts of `column` that `known` lacks."""
    ids = pc.unique(column)
    return set(ids.filter(pc.invert(pc.is_in(ids, known))).drop_null().to_pylist())


def compare_ids(column: Column, named: Column, sides: Sides, warnings: ImportWarnings) -> None:
    """Warns where `ids_do_not_meet`."""
    message = ids_do_not_meet(column, named, sides)
    if message:
        warnings.add("ids_do_not_meet", message)


def ids_do_not_meet(column: Column, named: Column, sides: Sides) -> str | None:
    """What to say where too few ids meet, with three examples of each side; None where enough do.

    Args:
        column: texts, ids that the file has. named: texts, ids that the events or the catalog use.
    """
    there, wanted = pc.unique(column).drop_null(), pc.unique(named).drop_null()
    if not len(there) and len(wanted):
        return f"{sides.listed} has no rows. {sides.lost}. Check its `files` in the mapping."
    both = pc.sum(pc.is_in(wanted, there)).as_py() or 0
    if both >= sides.least * min(len(there), len(wanted)):
        return None
    has, wants = set(there.to_pylist()), set(wanted.to_pylist())
    many = f"only {both}" if both else "none"
    return (
        f"{many} of the {len(wants)} {sides.ids} (not found: {_three(wants - has)}) stand in {sides.listed}, "
        f"which has {len(has)} ids (such as {_three(has - wants)}). {sides.lost}. {_hint(has, wants)}"
        f"Check {sides.keys} in the mapping."
    )


def _three(ids: set[str]) -> str:
    return ", ".join(repr(name) for name in sorted(ids)[:3])


def _hint(listed: set[str], named: set[str]) -> str:
    """How the ids could be written alike, where one rule makes most of them meet."""
    sample = sorted(named)[:_SAMPLE]
    for how, alike in _ALIKE.items():
        known = {alike(name) for name in listed}
        if sum(alike(name) in known for name in sample) * 2 >= min(len(sample), len(listed)):
            return f"They would meet {how}: write them alike in both files. "
    return ""


def _last_part(name: str) -> str:
    for mark in "/:|":
        name = name.rsplit(mark, 1)[-1]
    return name
