"""More ways to write words that the catalog has: joined, apart, and as it misspells them itself."""

from collections.abc import Sequence
from dataclasses import replace
from math import log

import numpy as np

from recsys.analysis.stems import term_of
from recsys.retrieval.lexical.query import Alternative
from recsys.search.understanding.edits import LEAST_NEW_LETTER, edit_cost
from recsys.search.understanding.lexicon import Lexicon
from recsys.search.understanding.parts import SPACING, VARIANTS, QueryPart, Rewrite
from recsys.search.understanding.spelling import Speller

# Weights and bounds chosen on the judged queries of a shop for home improvement.
_JOINED = 0.6  # for each of the two words, which count together as one word does
_APART = 0.7
_VARIANT = 0.6
_LEAST_TOGETHER = 2  # times that the parts of a word stand side by side in the catalog
_RARE = 10  # texts that have a word that may be the catalog's own typing error
_RATIO = 20  # times as many have what it was meant to be
_MOST_EDITS = 1.0
_LEAST_LETTERS = 5


def spaced_parts(parts: Sequence[QueryPart], lexicon: Lexicon) -> tuple[list[QueryPart], list[Rewrite]]:
    """`flash light` may be answered by `flashlight`, and `doorknob` by `door knob`.

    The joined word answers both words, so that an item with it matches as many words of the query.
    """
    widened, rewrites = list(parts), []
    for place in range(len(parts) - 1):
        joined = _joined(parts[place], parts[place + 1], lexicon)
        if joined is not None:
            more = Alternative((term_of(joined),), _JOINED, "join")
            for each in (place, place + 1):
                widened[each] = replace(widened[each], alternatives=(*widened[each].alternatives, more))
            before = f"{parts[place].surface} {parts[place + 1].surface}"
            rewrites.append(Rewrite(SPACING, before, joined))
    for place, part in enumerate(parts):
        apart = _apart(part, lexicon)
        if apart is not None:
            more = Alternative((term_of(apart[0]), term_of(apart[1])), _APART, "split")
            widened[place] = replace(widened[place], alternatives=(*widened[place].alternatives, more))
            rewrites.append(Rewrite(SPACING, part.surface, " ".join(apart)))
    return widened, rewrites


def _is_plain(part: QueryPart) -> bool:
    return part.rewritable and part.surface.isalpha() and part.surface.isascii() and len(part.terms) == 1


def _joined(one: QueryPart, other: QueryPart, lexicon: Lexicon) -> str | None:
    if not (_is_plain(one) and _is_plain(other)) or len(one.surface) < 2:
        return None
    joined = one.surface + other.surface
    return joined if term_of(joined) in lexicon.index_of_term else None


def _apart(part: QueryPart, lexicon: Lexicon) -> tuple[str, str] | None:
    """The two words that stand side by side most often."""
    word = part.surface
    if not _is_plain(part) or len(word) < 6 or len(word) > 40:
        return None
    cuts = [(word[:cut], word[cut:]) for cut in range(3, len(word) - 2)]
    index_of = lexicon.index_of_term
    known = [
        (parts, index_of[term_of(parts[0])], index_of[term_of(parts[1])])
        for parts in cuts
        if parts[0] in lexicon.index_of_word
        and term_of(parts[1]) in index_of
        and term_of(parts[0]) in index_of
    ]
    if not known:
        return None
    times = lexicon.followed(
        np.array([one for _, one, _ in known], np.int64), np.array([other for _, _, other in known], np.int64)
    )
    best = int(times.argmax())
    return known[best][0] if times[best] >= _LEAST_TOGETHER else None


def variant_parts(parts: Sequence[QueryPart], speller: Speller) -> tuple[list[QueryPart], list[Rewrite]]:
    """A rare word may be answered by a frequent one an edit away: titles have typing errors too.

    The word as it was typed stays, with its full weight.
    """
    widened, rewrites = list(parts), []
    for place, part in enumerate(parts):
        variant = _variant(part, speller) if part.spelled else None
        if variant is not None:
            more = Alternative((term_of(variant),), _VARIANT, "spelling")
            widened[place] = replace(part, alternatives=(*part.alternatives, more))
            rewrites.append(Rewrite(VARIANTS, part.surface, variant))
    return widened, rewrites


def _variant(part: QueryPart, speller: Speller) -> str | None:
    lexicon = speller.lexicon
    count = lexicon.count_of_term(part.terms[0])
    word = part.surface
    if not 0 < count <= _RARE or len(word) < _LEAST_LETTERS or word in speller.language_words:
        return None
    best: tuple[float, str] | None = None
    for index in speller.near.near(word, int(_MOST_EDITS / LEAST_NEW_LETTER)):
        times = int(lexicon.term_counts[lexicon.word_terms[index]])
        if times < _RATIO * count:
            continue
        cost = edit_cost(word, lexicon.words[index], _MOST_EDITS)
        if cost <= _MOST_EDITS:
            score = speller.weights.prior * log(times) - speller.weights.edit * cost
            best = max(best, (score, lexicon.words[index])) if best else (score, lexicon.words[index])
    return best[1] if best else None
