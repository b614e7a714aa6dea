"""The click model of a shop: the network with the names that its codes stand for, as a bundle holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from recsys import columns
from recsys.arrays import DoubleArray, IntArray
from recsys.dataset.item_table import ItemTable
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError
from recsys.models.ctr.model import CtrModel

RATES = (columns.ITEM_CLICK_RATE, columns.ITEM_CONVERSION, columns.ITEM_TREND, columns.CATEGORY_AFFINITY)
# Counts, money and seconds span orders of magnitude; rates do not.
LOGARITHM = tuple(name for name in columns.CLICK_NUMBERS if name not in RATES)


@dataclass(frozen=True)
class ClickCodes:
    """Names by code, from code 1 on; code 0 is any other.

    Attributes:
        places: as `recsys.dataset.click_log.place_name` has them. categories, brands: of items.
    """

    places: tuple[str, ...]
    categories: tuple[str, ...]
    brands: tuple[str, ...]

    def place(self, name: str) -> int:
        """The code of one place."""
        return self._places.get(name, 0)

    def place_codes(self, names: Sequence[str]) -> IntArray:
        """(I,) codes of places."""
        return np.fromiter((self.place(name) for name in names), np.int64, len(names))

    def item_codes(self, items: ItemTable) -> IntArray:
        """(N + 1, 2) codes of each item's category and brand."""
        columns_of = (items.categories, self.categories), (items.brands, self.brands)
        return np.stack([_codes(values, known) for values, known in columns_of], 1)

    @property
    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Of each category its name and how many codes it has."""
        return (
            (columns.CATEGORY, len(self.categories) + 1),
            (columns.BRAND, len(self.brands) + 1),
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.places, start=1)}


@dataclass(frozen=True)
class ClickFacts:
    """What a click model learned from.

    Attributes:
        impressions, clicks: of training and calibration. since, until: microseconds of the first and last.
        calibrated_from: microseconds from which impressions calibrated it.
        conversion: share of the clicks after which something was bought, where that is known for good.
    """

    impressions: int
    clicks: int
    since: int
    until: int
    calibrated_from: int
    conversion: float = 0.0


@dataclass(frozen=True)
class ShopClickModel:
    """A click model with its codes; numbers are `recsys.columns.CLICK_NUMBERS` of service `ads_v1`."""

    model: CtrModel
    codes: ClickCodes
    facts: ClickFacts

    def examination(self, place: str, slots: int) -> DoubleArray:
        """(slots,) how likely each slot is looked at, the first 1, not rising.

        An unknown place is as all of them; a slot beyond those that training saw is as the last of them.
        """
        code = self.codes.place(place)
        codes = [code] if code else list(range(1, len(self.codes.places) + 1)) or [0]
        seen = self._examined[codes].mean(axis=0)
        seen = np.minimum.accumulate(seen)
        return np.asarray(seen[np.minimum(np.arange(slots), len(seen) - 1)], np.float64)

    @cached_property
    def _examined(self) -> DoubleArray:
        """(places + 1, P) examination by code of the place: asked with each page, and always the same."""
        return np.stack([self.model.examination(code) for code in range(len(self.codes.places) + 1)])

    def describe(self) -> JsonObject:
        """What `rebuild` needs besides the tensors, as JSON."""
        return {"model": self.model.describe(), "codes": asdict(self.codes), "facts": asdict(self.facts)}

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of the model by name."""
        return self.model.tensors()

    @classmethod
    def rebuild(cls, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "ShopClickModel":
        """The model that `describe` and `tensors` were taken from.

        Raises:
            ArtifactMismatchError: they are of another version, or do not fit each other.
        """
        model = CtrModel.rebuild(description["model"], tensors)
        try:
            codes = ClickCodes(**{name: tuple(values) for name, values in description["codes"].items()})
            facts = ClickFacts(**description["facts"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactMismatchError(
                f"The click model's description is not of this version: {error}. Train it again."
            ) from error
        if model.shape.numbers != columns.CLICK_NUMBERS:
            raise ArtifactMismatchError("The click model reads other features than today's. Train it again.")
        return cls(model, codes, facts)


def _codes(values: Sequence[str], known: Sequence[str]) -> IntArray:
    codes = {name: code for code, name in enumerate(known, start=1)}
    return np.fromiter((codes.get(value, 0) for value in values), np.int64, len(values))
