"""What segments may ask of a user, from the features that a request has read and the shop's attributes."""

from collections.abc import Callable, Mapping
from datetime import datetime

from recsys.catalog import AttributeValue
from recsys.funnel.online_features import FeatureRows
from recsys.rules.fields import ATTRIBUTE, SECONDS_OF_A_DAY, USER_FIELDS, FactValue, UserField


class UserFacts:
    """`recsys.rules.expressions.Facts` of one user at one instant; attributes are read when asked for.

    Args:
        rows: the user's views, one row; None for a visitor, or where the online store is away.
        attributes: reads what the shop told of the user.
    """

    def __init__(
        self,
        rows: FeatureRows | None,
        now: datetime,
        attributes: Callable[[], Mapping[str, AttributeValue]],
    ) -> None:
        self._rows = rows
        self._now = now
        self._read_attributes = attributes
        self._attributes: Mapping[str, AttributeValue] | None = None

    def value(self, name: str) -> FactValue | None:
        """The value of the field `name`, None where it is missing."""
        if name.startswith(ATTRIBUTE):
            if self._attributes is None:
                self._attributes = self._read_attributes()
            return self._attributes.get(name.removeprefix(ATTRIBUTE))
        field = USER_FIELDS.get(name)
        return None if field is None or self._rows is None else self._of_feature(field, self._rows)

    def _of_feature(self, field: UserField, rows: FeatureRows) -> FactValue | None:
        name = field.feature
        if name not in rows.columns or rows.missing[rows.views[name]][0]:
            return None
        if name in rows.null and rows.null[name][0]:
            return None
        cell = rows.columns[name][0]
        if field.kind in ("key", "keys"):
            keys = tuple(int(key) for key in cell)
            if not keys:
                return None
            return keys[:1] if field.first else keys
        value = float(cell)
        if value != value or (field.zero_is_missing and value == 0):
            return None
        if field.since:
            return (self._now.timestamp() - value) / SECONDS_OF_A_DAY
        return value / field.divisor


class FactsOnDemand:
    """`UserFacts` whose features are read with the first question that needs them.

    Args:
        read: the user's views, one row; None for a visitor, or where the online store is away.
        attributes: as in UserFacts.
    """

    def __init__(
        self,
        read: Callable[[], FeatureRows | None],
        now: datetime,
        attributes: Callable[[], Mapping[str, AttributeValue]],
    ) -> None:
        self._read = read
        self._without_rows = UserFacts(None, now, attributes)
        self._now = now
        self._read_facts: UserFacts | None = None

    def value(self, name: str) -> FactValue | None:
        """The value of the field `name`, None where it is missing."""
        if name.startswith(ATTRIBUTE):
            return self._without_rows.value(name)
        if self._read_facts is None:
            self._read_facts = UserFacts(self._read(), self._now, dict)
        return self._read_facts.value(name)
