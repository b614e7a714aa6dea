"""The sizes of a retriever."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RetrieverShape:
    """The sizes that a retriever is built with.

    Attributes:
        items: N. text_dimensions: E. text: T, the projected text's width.
        tokens: A, attribute tokens an item at most. width: D.
        clock: whether instants mean anything; if not, there is no T_u and no time in attention.
        season: whether T_u knows the day of the year.
        vectors: of each ready vector its name, its width and R_i, the width of its projection.
        text_missing: whether the item tower is told of items that have no text.
    """

    items: int
    text_dimensions: int
    text: int
    tokens: int
    width: int
    layers: int
    heads: int
    history_length: int
    dropout: float
    clock: bool
    season: bool
    vectors: tuple[tuple[str, int, int], ...] = ()
    text_missing: bool = False
