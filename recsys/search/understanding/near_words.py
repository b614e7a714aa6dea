"""Words within a few edits of another, found by letters left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from recsys.arrays import IntArray

_PREFIX = 7  # only so many letters are left out of; an error behind them changes no prefix
_MOST_LEFT_OUT = 2
_FIRST_LETTER, _LETTERS = ord("a"), 26
_CONSONANTS = str.maketrans(
    {**dict.fromkeys("aeiouyhw", ""), **dict.fromkeys("ckqxz", "s"), "j": "g", "v": "f"}
)


@dataclass(frozen=True)
class NearWords:
    """Hashes of words with letters left out and of their consonants; immutable.

    Attributes:
        keys: (K,) ascending uint32, a CRC of what is left of a word.
        owners: (K,) index of the word.
        letters: (W,) a bit for each letter of a word, by its index; 0 where it is no word of these.
    """

    keys: npt.NDArray[np.uint32]
    owners: IntArray
    letters: IntArray

    def near(self, word: str, others: int) -> list[int]:
        """Indexes of words that may be within two edits of `word` or sound like it, ascending.

        Args:
            others: most letters that only one of the two words may have.
        """
        wanted = np.fromiter(_hashes(word), np.uint32)
        starts = np.searchsorted(self.keys, wanted, "left")
        ends = np.searchsorted(self.keys, wanted, "right")
        runs = [self.owners[start:end] for start, end in zip(starts, ends, strict=True) if end > start]
        if not runs:
            return []
        found = np.unique(np.concatenate(runs))
        own = _letters(word)
        theirs = self.letters[found]
        fits = (np.bitwise_count(own & ~theirs) <= others) & (np.bitwise_count(theirs & ~own) <= others)
        kept: list[int] = found[fits].tolist()
        return kept

    def with_words(self, words: Sequence[str], indexes: Sequence[int]) -> "NearWords":
        """This and `words`, which have these indexes."""
        hashes: list[int] = []
        owners: list[int] = []
        for word, index in zip(words, indexes, strict=True):
            own = set(_hashes(word))
            hashes.extend(own)
            owners.extend([index] * len(own))
        keys = np.concatenate([self.keys, np.array(hashes, np.uint32)])
        order = np.argsort(keys, kind="stable")
        letters = np.zeros(max(len(self.letters), max(owners, default=-1) + 1), np.int64)
        letters[: len(self.letters)] = self.letters
        for word, index in zip(words, indexes, strict=True):
            letters[index] = _letters(word)
        return NearWords(
            keys[order], np.concatenate([self.owners, np.array(owners, np.int64)])[order], letters
        )


NONE = NearWords(np.zeros(0, np.uint32), np.zeros(0, np.int64), np.zeros(0, np.int64))


def _letters(word: str) -> int:
    """A bit for each of the letters a to z, and one for all others."""
    bits = 0
    for letter in word:
        place = ord(letter) - _FIRST_LETTER
        bits |= 1 << (place if 0 <= place < _LETTERS else _LETTERS)
    return bits


def consonants_of(word: str) -> str:
    """What is heard of a word's consonants; empty where there are fewer than three.

    >>> consonants_of("porcelain") == consonants_of("procelian")
    True
    """
    letters = word.replace("ph", "f").translate(_CONSONANTS)
    heard = "".join(letter for place, letter in enumerate(letters) if letter != letters[place - 1 : place])
    return heard if len(heard) >= 3 else ""


def _hashes(word: str) -> Iterator[int]:
    left = {word[:_PREFIX]}
    yield crc32(word[:_PREFIX].encode("utf-8"))
    for _ in range(_MOST_LEFT_OUT if len(word) > 3 else 1):
        left = {text[:place] + text[place + 1 :] for text in left for place in range(len(text))}
        for text in left:
            yield crc32(text.encode("utf-8"))
    heard = consonants_of(word)
    if heard:
        yield crc32(b"=" + heard.encode("utf-8"))
        if len(heard) >= 4:
            for place in range(len(heard)):
                yield crc32(b"=" + (heard[:place] + heard[place + 1 :]).encode("utf-8"))
