"""Words that the best titles have in common, as more words of the query (pseudo-relevance feedback).

Lavrenko and Croft 2001, relevance models; Abdul-Jaleel et al. 2004 mix them with the query (RM3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.analysis.analyzer import Analyzer
from recsys.arrays import FloatArray
from recsys.retrieval.lexical.index import LexicalIndex
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup

FEEDBACK = "feedback"  # the source of such words


@dataclass(frozen=True)
class Feedback:
    """How much the best titles say.

    Attributes:
        titles: how many of them are read. words: how many words are taken.
        least: titles, the best counting 1 and others less, that must have a word.
        weight: of a word that all of them have.
    """

    titles: int = 20
    words: int = 20
    least: float = 2.0
    weight: float = 0.2


def feedback_groups(
    query: LexicalQuery,
    titles: Sequence[str],
    scores: FloatArray,
    index: LexicalIndex,
    feedback: Feedback | None = None,
) -> tuple[WordGroup, ...]:
    """Word groups to rank and fill up by, beside those of the query: they say nothing of what matches.

    Args:
        titles: of the best items, best first; scores: theirs.
    """
    chosen = feedback or Feedback()
    asked = {term for group in query.groups for each in group.alternatives for term in each.terms}
    having: dict[str, float] = {}
    analyzer = Analyzer()
    best = float(scores[0]) if len(scores) else 0.0
    count = min(len(titles), len(scores), chosen.titles)
    for title, score in zip(titles[:count], scores[:count].tolist(), strict=True):
        for term in set(analyzer.term_stream(title)[0]) - asked:
            having[term] = having.get(term, 0.0) + (score / best if best else 0.0)
    common = [(term, total / count) for term, total in having.items() if total >= chosen.least]
    rarest = sorted(common, key=lambda each: (-each[1] * index.rarity(each[0]), each[0]))[: chosen.words]
    return tuple(
        WordGroup(term, (Alternative((term,), chosen.weight * share, FEEDBACK),)) for term, share in rarest
    )
