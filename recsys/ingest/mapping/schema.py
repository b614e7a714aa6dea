"""What a mapping file may say: how the files of a shop become canonical events, items and users.

`docs/mapping.md` is the same for people, `recsys/mappings/template.toml` the same as an example.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from recsys import columns
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.mapping.catalog_sources import ItemSource, UserSource
from recsys.ingest.mapping.event_sources import EventSource
from recsys.ingest.mapping.sources import known_kind
from recsys.settings_section import Section

DEFAULT_WEIGHTS = {
    columns.SEARCH: 0.0,
    columns.IMPRESSION: 0.0,
    columns.VIEW: 0.3,
    columns.CLICK: 0.3,
    columns.CART: 0.6,
    columns.PURCHASE: 1.0,
    columns.CANCEL: 0.0,
    columns.LIKE: 1.0,
}


class Clock(Section):
    """What to do with the time axis of the whole shop."""

    shift: Literal["none", "weeks-to-now"] = Field(
        "none", description="weeks-to-now: move a historic log by whole weeks, so that it ends this week"
    )


class ShopMapping(Section):
    """A whole mapping file; without `events` the shop is its catalog alone."""

    name: str = Field(min_length=1)
    description: str = ""
    currency: str | None = None
    repeats: bool = Field(description="whether buying or viewing the same item again is normal")
    label_kinds: Annotated[tuple[str, ...], Field(min_length=1)]
    events: tuple[EventSource, ...] = ()
    items: ItemSource = Field(default_factory=lambda: ItemSource())
    users: UserSource | None = None
    weights: dict[str, float] = Field({})
    time: Clock = Clock()
    cleaning: CleaningRules = CleaningRules()

    @model_validator(mode="before")
    @classmethod
    def _labels_need_events(cls, values: Any) -> Any:
        """A catalog alone need not say what is predicted and whether it comes again."""
        if isinstance(values, dict) and values.get("items") and not values.get("events"):
            return {"repeats": True, "label_kinds": columns.ACTION_KINDS, **values}
        return values

    @field_validator("label_kinds")
    @classmethod
    def _known_labels(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_kind(kind) for kind in kinds)

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        for kind, weight in weights.items():
            known_kind(kind)
            if not 0 <= weight <= 1000:
                raise ValueError(f"the weight of {kind!r} must be from 0 to 1000 (got {weight})")
        return weights

    @model_validator(mode="after")
    def _events_or_items(self) -> "ShopMapping":
        if self.events:
            return self
        if not self.items.files:
            raise ValueError("names no files: add [[events]], or `files` to [items] for a catalog alone")
        if self.items.without_events == "quarantine" or self.items.unknown == "quarantine":
            raise ValueError(
                "has no [[events]], so `unknown` and `without_events` of [items] have no meaning"
            )
        if self.items.price is not None and self.items.price.source == "events":
            raise ValueError("has no [[events]] that could tell prices; name a column in `price` of [items]")
        return self

    @model_validator(mode="after")
    def _one_clock(self) -> "ShopMapping":
        if len({source.time.unit == "order" for source in self.events}) > 1:
            raise ValueError('either all [[events]] have a clock or all have unit = "order"')
        return self

    @property
    def clock(self) -> Literal["time", "order"]:
        """`order` where the files only say what came after what."""
        return "order" if self.events and self.events[0].time.unit == "order" else "time"

    @property
    def kind_weights(self) -> dict[str, float]:
        """The weight of every kind, defaults included."""
        return {**DEFAULT_WEIGHTS, **self.weights}
