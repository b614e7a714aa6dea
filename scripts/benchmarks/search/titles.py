"""Titles and queries of a shop that does not exist, as many as a benchmark needs, the same at each run."""

from collections.abc import Iterator

import numpy as np

from recsys.arrays import IntArray

_WORDS, _SYLLABLES = 40_000, ("ba", "co", "der", "fi", "gol", "hu", "ing", "ka", "lo", "mer", "no", "pu")
_UNITS = ("in.", "ft.", "oz", "ml", "gal.", "pack", "x 10 ft.", "watt")


def made_titles(count: int, seed: int = 0) -> Iterator[str]:
    """`count` titles of 4 to 14 words whose frequencies fall as in a language; three in ten have a size."""
    rng = np.random.default_rng(seed)
    words = _vocabulary()
    lengths = rng.integers(4, 15, count)
    chosen = _words(rng, int(lengths.sum()))
    sized, sizes = rng.random(count) < 0.3, rng.integers(1, 60, count)
    place = 0
    for row, length in enumerate(lengths.tolist()):
        title = " ".join(words[number] for number in chosen[place : place + length].tolist())
        place += length
        yield f"{title} {sizes[row]} {_UNITS[int(sizes[row]) % len(_UNITS)]}" if sized[row] else title


def made_queries(titles: list[str], count: int, seed: int = 1) -> list[str]:
    """Two to four words of a title each."""
    rng = np.random.default_rng(seed)
    found = []
    for row in rng.integers(0, len(titles), count).tolist():
        words = [word for word in titles[row].split(" ") if word.isalpha()]
        wanted = min(int(rng.integers(2, 5)), len(words))
        found.append(" ".join(rng.permutation(words)[:wanted]))
    return found


def _vocabulary() -> list[str]:
    """Words of two to five syllables, each once."""
    rng = np.random.default_rng(7)
    words: dict[str, None] = {}
    while len(words) < _WORDS:
        parts = rng.integers(0, len(_SYLLABLES), int(rng.integers(2, 6)))
        words["".join(_SYLLABLES[part] for part in parts)] = None
    return list(words)


def _words(rng: np.random.Generator, count: int) -> IntArray:
    """Numbers of words by Zipf's law, moved by 20 so that the first does not stand in every title."""
    ranks = np.arange(_WORDS) + 20.0
    share = 1 / ranks
    chosen: IntArray = rng.choice(_WORDS, count, p=share / share.sum())
    return chosen
