"""English words made of other words by a prefix or a suffix: right, though a catalog has only the other."""

from collections.abc import Container, Iterator

_PREFIXES = (
    "un",
    "non",
    "pre",
    "de",
    "re",
    "over",
    "under",
    "inter",
    "micro",
    "mini",
    "multi",
    "milli",
    "semi",
    "super",
)
_SUFFIXES = (
    "er",
    "ers",
    "or",
    "ors",
    "ing",
    "ings",
    "ed",
    "able",
    "less",
    "ness",
    "proof",
    "like",
    "y",
    "ly",
    "s",
    "es",
)
_LEAST_STEM = 4  # letters of the other word
_VOWELS = frozenset("aeiou")


def is_derived(word: str, known: Container[str]) -> bool:
    """Whether `word` is one of `known` with a prefix or a suffix.

    >>> [is_derived(word, {"drain", "scrap"}) for word in ("drainer", "scrapper", "drian")]
    [True, True, False]
    >>> is_derived("unframed", {"framed"}), is_derived("framing", {"frame"})
    (True, True)
    """
    return any(stem in known for stem in _stems(word))


def _stems(word: str) -> Iterator[str]:
    for prefix in _PREFIXES:
        if word.startswith(prefix) and len(word) - len(prefix) >= _LEAST_STEM:
            yield word[len(prefix) :]
    for suffix in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if len(stem) < len(word) and len(stem) >= _LEAST_STEM:
            yield stem
            if suffix[0] in _VOWELS or suffix == "y":
                yield stem + "e"
                if stem[-1] == stem[-2]:
                    yield stem[:-1]
