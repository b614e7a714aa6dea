"""Which terms of an index answer for the terms of a phrase, and how far apart they stand."""

from collections.abc import Sequence

from recsys.analysis.scanning import is_han


def postings_of_phrase(terms: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """(offset, term) for each indexed term that a field must hold, offsets counted from the first.

    A term of n Han characters stands for all of them in their order, whatever words they are in: its pairs
    are looked up. Han terms that follow one another are one. Other terms are looked up as they are.

    >>> postings_of_phrase(("solid", "wood"))
    ((0, 'solid'), (1, 'wood'))
    >>> postings_of_phrase(("连衣裙", "xl"))
    ((0, '连衣'), (1, '衣裙'), (3, 'xl'))
    """
    found: list[tuple[int, str]] = []
    offset, place = 0, 0
    while place < len(terms):
        if not is_han(terms[place]):
            found.append((offset, terms[place]))
            offset, place = offset + 1, place + 1
            continue
        run = ""
        while place < len(terms) and is_han(terms[place]):
            run, place = run + terms[place], place + 1
        pairs = max(len(run) - 1, 1)
        found.extend((offset + start, run[start : start + 2]) for start in range(pairs))
        offset += len(run)
    return tuple(found)
