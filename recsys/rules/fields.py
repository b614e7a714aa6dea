"""What a segment may ask of a user: names, kinds of values, and the features that they come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from recsys import columns

# `key`: a category by its name, held as its stable key; `keys`: several. `any`: known from data alone.
Kind = Literal["number", "text", "texts", "key", "keys", "any"]
FactValue = float | str | tuple[str, ...] | tuple[int, ...]

ATTRIBUTE = "user."  # before the name of an attribute that the shop knows of its users
MICROS = 1_000_000
SECONDS_OF_A_DAY = 86_400


@dataclass(frozen=True)
class UserField:
    """One fact of a user.

    Attributes:
        feature: the column of the FeatureService that it is read from.
        divisor: what the column is divided by; 1 = as it is.
        zero_is_missing: 0 stands for "none" in the column.
        since: the fact is the time from the column's instant to the request, in days.
        first: the fact is the first entry of the column's list.
    """

    name: str
    kind: Kind
    feature: str
    meaning: str
    divisor: int = 1
    zero_is_missing: bool = False
    since: bool = False
    first: bool = False


def _fields() -> Iterator[UserField]:
    for kind in columns.ACTION_KINDS:
        for days in columns.WINDOW_DAYS:
            feature = f"{kind}_count_{days}d"
            meaning = f"{kind} events of the last {days} days"
            yield UserField(feature, "number", feature, meaning)
            yield UserField(f"{kind}s_{days}d", "number", feature, f"the same as {feature}")
    for days, feature in zip(columns.WINDOW_DAYS, columns.USER_VALUES, strict=True):
        meaning = f"money spent in the last {days} days"
        yield UserField(feature, "number", feature, f"{meaning}, in millionths")
        yield UserField(f"spent_{days}d", "number", feature, f"{meaning}, in units", MICROS)
    yield UserField(columns.ACTIVE_DAYS, "number", columns.ACTIVE_DAYS, "days with an action in the last 90")
    price = "mean price a piece of what was bought in 90 days"
    yield UserField(
        columns.AVERAGE_PRICE, "number", columns.AVERAGE_PRICE, f"{price}, in millionths", 1, True
    )
    yield UserField("average_price_90d", "number", columns.AVERAGE_PRICE, f"{price}, in units", MICROS, True)
    yield UserField(
        "days_since_last_event",
        "number",
        columns.LAST_EVENT_AT,
        "days from the last action to the request",
        SECONDS_OF_A_DAY,
        True,
        since=True,
    )
    yield UserField(
        "top_category", "key", columns.TOP_CATEGORIES, "the favourite category of 90 days", first=True
    )
    yield UserField("top_categories", "keys", columns.TOP_CATEGORIES, "the five favourite ones")


USER_FIELDS: Mapping[str, UserField] = {field.name: field for field in _fields()}


@dataclass(frozen=True)
class FieldNames:
    """The names that an expression may use.

    Attributes:
        attributes: name -> kind of the shop's attributes of users; None = which there are is not known, and
            any name is taken, as when a rule that was checked before is read again.
    """

    attributes: Mapping[str, Kind] | None = None

    def kind(self, name: str) -> Kind | None:
        """The kind of the field `name`; None where there is no such field."""
        if name in USER_FIELDS:
            return USER_FIELDS[name].kind
        if not name.startswith(ATTRIBUTE) or name == ATTRIBUTE:
            return None
        return "any" if self.attributes is None else self.attributes.get(name.removeprefix(ATTRIBUTE))

    def names(self) -> tuple[str, ...]:
        """All names that are known."""
        return (*USER_FIELDS, *(f"{ATTRIBUTE}{name}" for name in sorted(self.attributes or ())))


ANY_ATTRIBUTE = FieldNames()
