"""The term of a word: its English stem, or the code of the unit that it names."""

import functools
import threading
from typing import Any

from recsys.analysis.quantities import unit_words

_LONGEST_TERM = 100  # characters; what is longer is nobody's word, and an index has a bound
_local = threading.local()


@functools.lru_cache(maxsize=1 << 17)
def term_of(word: str) -> str:
    """The term of a folded word.

    >>> [term_of(each) for each in ("dresses", "men's", "inches", "платье")]
    ['dress', 'men', 'inch', 'платье']
    """
    plain = surface_of(word)[:_LONGEST_TERM]
    if not plain.isascii():
        return plain
    unit = unit_words().get(plain)
    return unit if unit is not None else str(_stemmer().stemWord(plain)) or plain


def surface_of(word: str) -> str:
    """A folded word without the English genitive and without apostrophes."""
    return word.removesuffix("'s").replace("'", "") or word


def _stemmer() -> Any:
    """This thread's stemmer: they hold state."""
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:
        import Stemmer

        stemmer = _local.stemmer = Stemmer.Stemmer("english", 0)  # the cache is ours
    return stemmer
