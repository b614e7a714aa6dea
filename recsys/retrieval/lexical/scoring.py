"""How much a match counts: by field, by how rare the term is, by how long the title is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys.arrays import FloatArray
from recsys.retrieval.lexical.schema import BOOSTS


@dataclass(frozen=True)
class Scoring:
    """The weights of the lexical score.

    BM25 (Robertson and Zaragoza 2009, equation 3.15) where every term occurs once: titles seldom repeat one.

    Attributes:
        boosts: of the fields.
        k1, b: of BM25; small for titles.
    """

    boosts: Mapping[str, float] = field(default_factory=lambda: dict(BOOSTS))
    k1: float = 0.3
    b: float = 0.6

    def rarity(self, having: int, items: int) -> float:
        """The inverse document frequency of what `having` of `items` items have."""
        return math.log(1 + (items - having + 0.5) / (having + 0.5))

    def length_factors(self, longest: int, mean: float) -> FloatArray:
        """(longest + 1,) what a match counts by the words of the title, about 1 for one of `mean` length."""
        shape = 1 - self.b + self.b * np.arange(longest + 1, dtype=np.int32) / max(mean, 1.0)
        return ((self.k1 + 1) / (1 + self.k1 * shape)).astype(np.float32)
