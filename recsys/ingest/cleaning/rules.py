"""How much is too much: the thresholds of cleaning, for an import and for a stream alike."""

from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import Field, field_validator

from recsys import columns
from recsys.settings_section import Section

_Kinds = TypeVar("_Kinds", dict[str, float], tuple[str, ...])
_BROWSING = (columns.SEARCH, columns.VIEW, columns.CLICK, columns.CART, columns.LIKE)


class CleaningRules(Section):
    """Thresholds of `recsys.ingest.cleaning.clean`.

    Attributes:
        near_duplicate_seconds: kind -> seconds; an event that follows one of the same user, item and
            kind within this time says nothing new (a double click, a reloaded page). Kinds that are
            absent or 0 are never near duplicates: a second purchase is a second purchase.
        future_tolerance_seconds: how far ahead of ours a clock may be.
        earliest: what is older cannot be true.
        bot_events_per_minute, bot_events_per_day: a user with more events of `bot_kinds` than this in
            a calendar minute or day (UTC) is a machine from that event on. 0 = no limit.
        bot_kinds: kinds that people do one by one; a basket is rung up all at once.
        repeated_lines: what equal lines (user, item, kind, instant, session) without an event id are:
            `duplicate` if all their values are equal too, or `sum`: scans of one item, added up.
    """

    near_duplicate_seconds: dict[str, float] = Field({columns.VIEW: 1.0, columns.CLICK: 1.0})
    future_tolerance_seconds: float = Field(300.0, ge=0)
    earliest: datetime = datetime(1990, 1, 1, tzinfo=UTC)
    bot_events_per_minute: int = Field(300, ge=0)
    bot_events_per_day: int = Field(10_000, ge=0)
    bot_kinds: tuple[str, ...] = _BROWSING
    repeated_lines: Literal["duplicate", "sum"] = "duplicate"

    @field_validator("near_duplicate_seconds", "bot_kinds")
    @classmethod
    def _known_kinds(cls, kinds: _Kinds) -> _Kinds:
        for kind in kinds:
            if kind not in columns.KINDS:
                raise ValueError(f"kind {kind!r} is unknown; use some of: {', '.join(columns.KINDS)}")
        return kinds

    @field_validator("earliest")
    @classmethod
    def _aware(cls, instant: datetime) -> datetime:
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
