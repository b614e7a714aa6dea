"""Text columns of a catalog as codes: which items have one of some values, or a path below one of some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, IntArray
from recsys.catalog import category_path
from recsys.versions.grown_mapping import GrownMapping
from recsys.versions.spare_capacity import SpareCapacity, rows_differ


@dataclass(frozen=True)
class CategoricalColumn:
    """One text column of the catalog as codes: `codes` (N + 1,) int32 into `names`; 0 = unknown."""

    names: Mapping[str, int]
    codes: npt.NDArray[np.int32]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "CategoricalColumn":
        """The column of `texts`, one of each item."""
        names = {"": 0}
        codes = np.fromiter((names.setdefault(text, len(names)) for text in texts), np.int32, len(texts))
        return cls(GrownMapping.of(names), codes)

    def with_texts(
        self, texts: Sequence[str], index: IntArray, name: str, spare: SpareCapacity
    ) -> "CategoricalColumn":
        """The column of `texts`, which differ from before at `index` and behind the end only; codes stay.

        Args:
            name: of the column. spare: that of all columns of this and of what it becomes.
        """
        wanted = [texts[place] for place in index.tolist()]
        new = dict.fromkeys(text for text in wanted if text not in self.names)
        names = self.names
        if new:
            more = {text: len(names) + place for place, text in enumerate(new)}
            names = GrownMapping.of(names).with_items(more)
        found = np.array([names[text] for text in wanted], np.int32)
        differs = rows_differ(self.codes, index, found)
        if len(texts) == len(self.codes) and not differs.any():
            return self
        codes = spare.with_rows(name, self.codes, len(texts), index[differs], found[differs])
        return CategoricalColumn(names, codes)

    def mask(self, wanted: Sequence[str]) -> BoolArray:
        """(N + 1,) true where the item has one of `wanted`."""
        return self.mask_of_codes([self.names[text] for text in wanted if text and text in self.names])

    def mask_of_codes(self, codes: Sequence[int]) -> BoolArray:
        """(N + 1,) true where the item's code is one of `codes`."""
        wanted = np.zeros(len(self.names), bool)
        wanted[list(codes)] = True
        found: BoolArray = wanted[self.codes]
        return found


@dataclass(frozen=True)
class PathColumn:
    """Category paths as codes, and of each path the codes of all paths that are it or lie below it."""

    paths: CategoricalColumn
    below: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "PathColumn":
        """The column of `texts`, one of each item."""
        paths = CategoricalColumn.of(texts)
        return cls(paths, _with_ancestors({}, paths.names, 0))

    def with_texts(
        self, texts: Sequence[str], index: IntArray, name: str, spare: SpareCapacity
    ) -> "PathColumn":
        """As `CategoricalColumn.with_texts`."""
        paths = self.paths.with_texts(texts, index, name, spare)
        if paths is self.paths:
            return self
        return PathColumn(paths, _with_ancestors(self.below, paths.names, len(self.paths.names)))

    def mask(self, wanted: Sequence[str]) -> BoolArray:
        """(N + 1,) true where the item's path is one of `wanted`, or below one of them."""
        codes = {code for path in wanted for code in self.below.get(category_path(path), ())}
        return self.paths.mask_of_codes(list(codes))


def _with_ancestors(
    below: Mapping[str, tuple[int, ...]], names: Mapping[str, int], known: int
) -> Mapping[str, tuple[int, ...]]:
    """`below` with the paths of `names` whose codes are `known` or higher, under each of their ancestors."""
    if len(names) == known:
        return below
    grown: dict[str, list[int]] = {}
    for path, code in names.items():
        if code >= max(known, 1):
            levels = path.split("/")
            for end in range(1, len(levels) + 1):
                grown.setdefault("/".join(levels[:end]), []).append(code)
    return {**below, **{path: (*below.get(path, ()), *codes) for path, codes in grown.items()}}
