"""One spelling for texts that look alike, and where each of its characters stood before."""

import functools
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

# What characters without spaces between words are written in: Han, kana, Thai, Lao, Khmer, Myanmar.
HAN = (
    "々〇〡-〩\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1780-\u17dd\U00020000-\U000323af"
)
_MARKS = re.compile("[\u0300-\u036f]")
_QUOTES = {"’": "'", "‘": "'", "ʼ": "'", "′": "'", "`": "'", "″": '"', "“": '"', "”": '"', "„": '"'}
_SIGNS = dict.fromkeys("™℠®©", " ")  # ™ is no part of the word before it
_DASHES = dict.fromkeys("‐‑‒–—−", "-")
_SPELLINGS = _QUOTES | _SIGNS | _DASHES


@dataclass(frozen=True)
class FoldedText:
    """A folded text and its places in the original.

    Attributes:
        text: the folded text.
        places: for each of its characters the (first, behind) of what it came from; None where each
            character of `text` is the one at the same place of the original.
    """

    text: str
    places: tuple[tuple[int, int], ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The (start, end) in the original of the characters `start` to `end` of the folded text."""
        if self.places is None or start >= end:
            return start, end
        return self.places[start][0], self.places[end - 1][1]

    def place_of(self, original: int) -> int:
        """The first place of the folded text that came from `original` or what follows it."""
        if self.places is None:
            return original
        return bisect_right(self.places, original, key=lambda place: place[1])


def normalise(text: str) -> str:
    """`text` as it is compared: NFKC, one width, Simplified, case folded, without accents and controls.

    >>> normalise("ＩＰＨＯＮＥ　手機殼 Café 5½\\x00")
    'iphone 手机壳 cafe 5 1/2'
    """
    if text.isascii():
        return fold_text(text).text
    if _continuing().search(text) is not None:
        return fold_text(text).text
    return text.translate(_TABLE)


class _FoldedCharacters(dict[int, str]):
    """What each character is folded to by itself, as far as it was asked for."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded_cluster(chr(code))
        return folded


_TABLE = _FoldedCharacters()


def fold_text(text: str) -> FoldedText:
    """`normalise` with the place of each character; never raises, linear in the length."""
    if text.isascii():
        lowered = text.lower()
        if lowered.isprintable():
            return FoldedText(lowered)
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    start, length = 0, len(text)
    continues = _continuing().match
    while start < length:
        end = start + 1
        while (
            end < length
            and text[end] >= _FIRST_MARK
            and continues(text, end)
            and end - start < _LONGEST_CLUSTER
        ):
            end += 1
        folded = _folded_cluster(text[start:end])
        parts.append(folded)
        places.extend([(start, end)] * len(folded))
        start = end
    return FoldedText("".join(parts), tuple(places))


_FIRST_MARK = "\u0300"
_LONGEST_CLUSTER = 8  # a base character with its marks; more marks than that are nobody's spelling


@functools.cache
def _continuing() -> re.Pattern[str]:
    """A character that is written onto the one before it."""
    marks = (chr(code) for code in range(0x300, 0x1E900) if unicodedata.combining(chr(code)))
    return re.compile("[" + "".join(marks) + "\u1160-\u11ff]")


@functools.lru_cache(maxsize=1 << 16)
def _folded_cluster(cluster: str) -> str:
    if (
        len(cluster) == 1
        and unicodedata.category(cluster) == "No"
        and "⁄" in unicodedata.normalize("NFKC", cluster)
    ):
        return " " + unicodedata.normalize("NFKC", cluster).replace("⁄", "/")  # 5½ is not 51/2
    text = "".join(_SPELLINGS.get(each, each) for each in cluster)
    text = unicodedata.normalize("NFKC", text).casefold()
    text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    text = unicodedata.normalize("NFKC", text).casefold().translate(_simplified())
    return "".join(_printable(each) for each in text)


def _printable(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _DROPPED else character.replace("⁄", "/")


_DROPPED = {"Cc", "Cf", "Cs"}  # controls, what is not seen, half of a surrogate pair


@functools.cache
def _simplified() -> dict[int, str]:
    """Simplified for each Traditional character by itself, so that a word folds alike wherever it stands."""
    import opencc

    characters = [
        chr(code)
        for first, last in ((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
        for code in range(first, last + 1)
    ]
    converted = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    return {
        ord(before): after
        for before, after in zip(characters, converted, strict=True)
        if before != after and len(after) == 1
    }
