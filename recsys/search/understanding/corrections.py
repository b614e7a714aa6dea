"""Corrections in the place of what was typed, or beside it where they are not sure."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from recsys.retrieval.lexical.query import Alternative
from recsys.search.understanding.lexicon import Lexicon
from recsys.search.understanding.parts import SPACING, SPELLING, VARIANTS, QueryPart, Rewrite
from recsys.search.understanding.spelling import Correction, Speller, TypedWord

CORRECTED = frozenset({"spelling", "join", "split"})  # sources of a part's first alternative
_AS_TYPED = 0.3  # weight of a corrected word as it was typed
_PERHAPS = 0.8  # weight of what was meant where that is not sure; the catalog does not have what was typed


def corrected_parts(
    parts: Sequence[QueryPart],
    speller: Speller,
    off: Collection[str],
    right: Collection[str],
    in_index: Callable[[str], int] | None,
) -> tuple[list[QueryPart], list[Rewrite]]:
    """The parts with corrections; a sure one is named `spelling` or `spacing`, another `variants`.

    Args:
        right: words that stay. in_index: a term's count in the index; one that it has stays.
    """
    if not parts or {SPELLING, SPACING} <= set(off):
        return list(parts), []
    typed = [
        TypedWord(
            part.surface,
            part.terms[0],
            not part.spelled
            or part.surface in right
            or (in_index is not None and in_index(part.terms[0]) > 0),
        )
        for part in parts
    ]
    corrected: list[QueryPart] = []
    rewrites: list[Rewrite] = []
    place = 0
    for correction in speller.corrections(typed, SPELLING not in off, SPACING not in off):
        if not correction.sure and VARIANTS in off:
            continue
        before = parts[correction.start : correction.end]
        corrected.extend(parts[place : correction.start])
        replaced = _replaced if correction.sure else _widened
        corrected.extend(replaced(before, correction, speller.lexicon))
        rewrites.append(_named(before, correction))
        place = correction.end
    corrected.extend(parts[place:])
    return corrected, rewrites


def _named(before: Sequence[QueryPart], correction: Correction) -> Rewrite:
    same_letters = "".join(part.surface for part in before) == "".join(correction.words)
    name = VARIANTS if not correction.sure else SPACING if same_letters else SPELLING
    return Rewrite(name, " ".join(part.text for part in before), " ".join(correction.words))


def _replaced(before: Sequence[QueryPart], correction: Correction, lexicon: Lexicon) -> Iterator[QueryPart]:
    """A part for each word that was meant; what was typed stays, with less weight."""
    typed = tuple(Alternative(part.terms, _AS_TYPED) for part in before)
    for word, term in zip(correction.words, _terms(correction, lexicon), strict=True):
        yield QueryPart(
            text=" ".join(part.text for part in before),
            surface=word,
            start=before[0].start,
            end=before[-1].end,
            alternatives=(Alternative((term,), 1.0, _source(before, correction)), *typed),
            spelled=True,
        )


def _widened(before: Sequence[QueryPart], correction: Correction, lexicon: Lexicon) -> Iterator[QueryPart]:
    """The parts as they were typed, each of which may be answered by what was perhaps meant."""
    more = Alternative(_terms(correction, lexicon), _PERHAPS, _source(before, correction))
    for part in before:
        yield replace(part, alternatives=(*part.alternatives, more))


def _terms(correction: Correction, lexicon: Lexicon) -> tuple[str, ...]:
    index_of = lexicon.index_of_word
    return tuple(lexicon.terms[lexicon.word_terms[index_of[word]]] for word in correction.words)


def _source(before: Sequence[QueryPart], correction: Correction) -> str:
    if len(before) == len(correction.words):
        return "spelling"
    return "join" if len(before) > 1 else "split"
