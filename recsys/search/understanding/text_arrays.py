"""Texts as one array of bytes, for files that hold arrays alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

ByteArray = npt.NDArray[np.uint8]
NamedArrays = Mapping[str, npt.NDArray[Any]]  # of a file; which types each has is its reader's matter
_END = "\n"


def packed_texts(texts: Sequence[str]) -> ByteArray:
    """UTF-8 of the texts, each ended by a line feed, which becomes a blank inside of one.

    >>> unpacked_texts(packed_texts(["red dress", "", "红色"]))
    ('red dress', '', '红色')
    """
    whole = "".join(text.replace(_END, " ") + _END for text in texts)
    return np.frombuffer(whole.encode("utf-8", "replace"), np.uint8)


def unpacked_texts(array: ByteArray) -> tuple[str, ...]:
    """The texts that `packed_texts` wrote."""
    return tuple(array.tobytes().decode("utf-8").split(_END)[:-1])
