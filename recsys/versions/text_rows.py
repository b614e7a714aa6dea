"""Texts by row, as versions that share all blocks of rows in which they are equal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import overload

_BITS = 10
BLOCK = 1 << _BITS  # texts that are copied where one of them changes
_INSIDE = BLOCK - 1


class TextRows(Sequence[str]):
    """An immutable sequence of texts; another version of it costs the blocks that differ.

    >>> texts = TextRows.of(["", "pot"])
    >>> texts.with_rows({1: "pan", 2: "lid"}, 4)[:], texts[:]
    (('', 'pan', 'lid', ''), ('', 'pot'))
    """

    __slots__ = ("_blocks", "_size")

    def __init__(self, blocks: tuple[tuple[str, ...], ...], size: int) -> None:
        """Use `of`, or `with_rows` of another."""
        self._blocks, self._size = blocks, size

    @classmethod
    def of(cls, texts: Iterable[str]) -> "TextRows":
        """The rows of `texts`; itself, if it is such rows."""
        if isinstance(texts, TextRows):
            return texts
        rows = tuple(texts)
        blocks = tuple(rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
        return cls(blocks, len(rows))

    def with_rows(self, changed: Mapping[int, str], size: int) -> "TextRows":
        """These with `size` rows, at least as many as now: those in `changed`, and other new ones empty."""
        work: dict[int, list[str]] = {}

        def block(row: int) -> list[str]:
            number = row >> _BITS
            if number not in work:
                work[number] = list(self._blocks[number]) if number < len(self._blocks) else []
            return work[number]

        for row in range(self._size, size):
            block(row).append("")
        for row, text in changed.items():
            block(row)[row & _INSIDE] = text
        blocks = [*self._blocks, *(() for _ in range(len(self._blocks), -(-size // BLOCK)))]
        for number, texts in work.items():
            blocks[number] = tuple(texts)
        return TextRows(tuple(blocks), size)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(chain.from_iterable(self._blocks))[place]
        if place < 0:
            place += self._size
        if place < 0:
            raise IndexError(f"there are {self._size} rows, none is {place - self._size}")
        return self._blocks[place >> _BITS][place & _INSIDE]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TextRows | tuple):
            return NotImplemented
        return len(self) == len(other) and all(
            ours == theirs for ours, theirs in zip(self, other, strict=True)
        )

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"TextRows({list(self[:3])}, {self._size} rows)"
