"""Ready vectors of items, by name: as canonical maps, as matrices, and all of an item's in one row.

A layout is the names and widths of what lies in such a row, in the order of the names.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from recsys.arrays import Column, FloatArray, combined
from recsys.dataset.schemas import VECTOR_MAP

VectorLayout = tuple[tuple[str, int], ...]


def vector_map(vectors: Mapping[str, Sequence[FloatArray | None]], rows: int) -> Column:
    """A map from name to vector for each row, null where it has none."""
    names, found, ends, none = [], [], [0], []
    for row in range(rows):
        for name, column in vectors.items():
            vector = column[row]
            if vector is not None:
                names.append(name)
                found.append(vector)
        none.append(len(names) == ends[-1])
        ends.append(len(names))
    widths = np.cumsum([0, *(len(vector) for vector in found)])
    values = np.concatenate([np.zeros(0, np.float32), *found])
    lists: Column = pa.ListArray.from_arrays(pa.array(widths, pa.int32()), pa.array(values, pa.float32()))
    maps: Column = pa.MapArray.from_arrays(pa.array(ends, pa.int32()), pa.array(names, pa.string()), lists)
    # Arrow's constructor of maps takes no mask.
    return maps.take(pa.array([None if gone else row for row, gone in enumerate(none)], pa.int32()))


def layout_of(column: Column) -> VectorLayout:
    """The layout of a column of maps: every name with the width that most of its vectors have."""
    maps = _whole_maps(column)
    names = maps.keys.to_pylist()
    widths = np.diff(maps.items.offsets.to_numpy()).tolist()
    return common_layout(Counter(zip(names, widths, strict=True)))


def common_layout(seen: Mapping[tuple[str, int], int]) -> VectorLayout:
    """Of how often each name has each width: every name with its most frequent one."""
    best: dict[str, int] = {}
    for (name, width), count in sorted(seen.items()):
        if width and (name not in best or count > seen[name, best[name]]):
            best[name] = width
    return tuple(sorted(best.items()))


def vector_rows(column: Column, layout: VectorLayout) -> FloatArray:
    """(N, V) float32, V the sum of the layout's widths; zeros where a row has no vector of that width."""
    maps = _whole_maps(column).cast(VECTOR_MAP)
    rows = np.repeat(np.arange(len(maps)), np.diff(maps.offsets.to_numpy()))
    names = np.array(maps.keys.to_pylist(), object)
    lists, ends = maps.items, maps.items.offsets.to_numpy()
    values = lists.values.to_numpy(zero_copy_only=False)
    out = np.zeros((len(maps), sum(width for _, width in layout)), np.float32)
    for name, (start, end) in _blocks(layout).items():
        width = end - start
        entries = np.flatnonzero((names == name) & (np.diff(ends) == width))
        place = ends[entries][:, None] + np.arange(width)  # (K, width)
        out[rows[entries], start:end] = values[place]
    return out


def _whole_maps(column: Column) -> Column:
    """The maps in one piece, with the keys and items of their rows alone: a slice has those of its array."""
    maps = combined(column)
    offsets = maps.offsets.to_numpy()
    if not len(offsets) or (offsets[0] == 0 and offsets[-1] == len(maps.keys)):
        return maps
    return maps.take(pa.array(np.arange(len(maps))))


def layout_text(layout: VectorLayout) -> str:
    """The layout as the feature store keeps it.

    >>> layout_text((("image", 512), ("speech", 128))), parse_layout("image:512 speech:128")
    ('image:512 speech:128', (('image', 512), ('speech', 128)))
    """
    return " ".join(f"{name}:{width}" for name, width in layout)


def parse_layout(text: str) -> VectorLayout:
    """What `layout_text` wrote."""
    parts = (part.rsplit(":", 1) for part in text.split())
    return tuple((name, int(width)) for name, width in parts)


def ready_matrix(
    rows: Sequence[FloatArray] | FloatArray, texts: Sequence[str], layout: VectorLayout
) -> FloatArray:
    """(n, V) rows in `layout`, each vector of unit length, zeros where a row lacks one.

    Args:
        rows: one array a row, in the layout that its own text of `texts` names.
    """
    blocks, out = _blocks(layout), np.zeros((len(rows), sum(width for _, width in layout)), np.float32)
    own = np.array(texts, object)
    for text in dict.fromkeys(texts):
        places = np.flatnonzero(own == text)
        for name, (start, end) in _blocks(parse_layout(text)).items():
            first, last = blocks.get(name, (0, 0))
            if last - first == end - start > 0:
                part = np.stack([np.asarray(rows[place], np.float32)[start:end] for place in places.tolist()])
                out[places, first:last] = _unit(part)
    return out


def ready_row(vectors: Mapping[str, Sequence[float]], layout: VectorLayout) -> FloatArray:
    """(V,) of one item's vectors, as a row of `ready_matrix`."""
    given = tuple((name, len(vector)) for name, vector in sorted(vectors.items()))
    flat = [number for _, vector in sorted(vectors.items()) for number in vector]
    row: FloatArray = ready_matrix([np.array(flat, np.float32)], [layout_text(given)], layout)[0]
    return row


def _blocks(layout: VectorLayout) -> dict[str, tuple[int, int]]:
    ends = np.cumsum([0, *(width for _, width in layout)]).tolist()
    return {name: (ends[place], ends[place + 1]) for place, (name, _) in enumerate(layout)}


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
