"""Words of a run of Han characters."""

import functools


@functools.lru_cache(maxsize=1 << 16)
def han_words(run: str) -> tuple[tuple[str, int], ...]:
    """All words of a run, long ones and the short ones within them, each with its place.

    >>> han_words("安装简单")
    (('安装', 0), ('简单', 2), ('安装简单', 0))
    """
    import rjieba

    return tuple((word, start) for word, start, _ in rjieba.tokenize(run, "search"))


@functools.lru_cache(maxsize=1 << 16)
def han_query_words(run: str) -> tuple[tuple[str, int], ...]:
    """The words that a query asks for: one behind another, a compound as its parts.

    >>> han_query_words("安装简单手机壳")
    (('安装', 0), ('简单', 2), ('手机', 4), ('壳', 6))
    """
    import rjieba

    inner: dict[int, list[str]] = {}
    for word, start in han_words(run):
        inner.setdefault(start, []).append(word)
    found: list[tuple[str, int]] = []
    for word, start, end in rjieba.tokenize(run, "default"):
        parts = _tiled(inner, start, end) if end - start > _LONGEST_WHOLE else None
        found.extend(parts or [(word, start)])
    return tuple(found)


_LONGEST_WHOLE = 3  # characters of a word that is asked for as it is


def _tiled(inner: dict[int, list[str]], start: int, end: int) -> list[tuple[str, int]] | None:
    """The shorter words that fill `start` to `end` without gap; None where they do not."""
    tiles: list[tuple[str, int]] = []
    place = start
    while place < end:
        fits = [word for word in inner.get(place, ()) if len(word) < end - start and place + len(word) <= end]
        if not fits:
            return None
        tiles.append((max(fits, key=len), place))
        place += len(tiles[-1][0])
    return tiles
