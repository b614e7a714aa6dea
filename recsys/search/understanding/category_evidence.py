"""Which categories a query is about: by what was clicked for it, else by its words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from recsys.search.understanding.clicked_queries import query_key

LEAST_CLICKS = 3  # of a query before its own clicks say anything
LEAST_SHARE = 0.3  # of the evidence, for a category to be named
_PRIOR_CLICKS = 5.0  # what the words say counts as so many clicks
_MOST_CATEGORIES = 3
_KEPT_OF_WORD = 20  # categories of one word that are kept
_OWN_WEIGHT = 10.0  # a click for a word says as much as so many titles with it


@dataclass(frozen=True)
class CategoryShare:
    """A category and its share of the evidence, 0 to 1."""

    category: str
    share: float


@dataclass(frozen=True)
class CategoryEvidence:
    """Counts of categories by query and by term.

    Attributes:
        of_queries: query, normalised -> category -> clicks.
        of_terms: term -> category -> weight, of titles and of clicks.
    """

    of_queries: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    of_terms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def likely(self, key: str, terms: Sequence[str]) -> tuple[CategoryShare, ...]:
        """At most three categories with a share of at least .3, the likeliest first.

            share = (clicks in the category + 5 x share by the words) / (clicks + 5)

        Args:
            key: the query by `query_key`. terms: of its words.
        """
        by_words = self._by_words(terms)
        clicks = self.of_queries.get(key, {})
        total = sum(clicks.values())
        if total < LEAST_CLICKS:
            clicks, total = {}, 0.0
        prior = _PRIOR_CLICKS if by_words else 0.0
        if not total + prior:
            return ()
        shares = {
            category: (clicks.get(category, 0.0) + prior * by_words.get(category, 0.0)) / (total + prior)
            for category in {*clicks, *by_words}
        }
        best = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_CATEGORIES]
        return tuple(CategoryShare(category, share) for category, share in best if share >= LEAST_SHARE)

    def _by_words(self, terms: Sequence[str]) -> Mapping[str, float]:
        """Mean over the words that say anything of the categories' shares."""
        known = [self.of_terms[term] for term in dict.fromkeys(terms) if term in self.of_terms]
        shares: dict[str, float] = defaultdict(float)
        for weights in known:
            total = sum(weights.values())
            for category, weight in weights.items():
                shares[category] += weight / total / len(known)
        return shares


def category_evidence(
    items: Iterable[tuple[Sequence[str], str]], clicks: Iterable[tuple[str, Sequence[str], str, int]]
) -> CategoryEvidence:
    """Evidence of the catalog and of the log.

    Args:
        items: (terms of the title, category) of each item; "" is no category.
        clicks: (query, its terms, category of what was clicked, clicks).
    """
    of_terms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    of_queries: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for terms, category in items:
        if category:
            for term in set(terms):
                of_terms[term][category] += 1
    for query, terms, category, count in clicks:
        if category and count > 0:
            of_queries[query_key(query)][category] += count
            for term in set(terms):
                of_terms[term][category] += count * int(_OWN_WEIGHT)
    return CategoryEvidence(
        {query: dict(counts) for query, counts in of_queries.items()},
        {term: dict(counts.most_common(_KEPT_OF_WORD)) for term, counts in of_terms.items()},
    )
