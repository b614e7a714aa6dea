"""A query as it is understood: rewriters in one order, each named with what it did."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from recsys.analysis.analyzer import Analyzer, QueryWord, identifier_term
from recsys.analysis.folding import fold_text
from recsys.errors import RequestError
from recsys.retrieval.lexical.query import Alternative, LexicalQuery
from recsys.search.understanding.category_evidence import CategoryEvidence
from recsys.search.understanding.clicked_queries import ClickedQueries, query_key
from recsys.search.understanding.corrections import CORRECTED, corrected_parts
from recsys.search.understanding.intent import Intent, intent_of, intent_rewrites, price_words
from recsys.search.understanding.lexicon import EMPTY, Lexicon
from recsys.search.understanding.named_values import NamedValues
from recsys.search.understanding.near_words import NONE
from recsys.search.understanding.parts import (
    IDENTIFIERS,
    INTENT,
    NORMALISE,
    REWRITERS,
    SPACING,
    SPELLING,
    SYNONYMS,
    UNITS,
    VARIANTS,
    QueryPart,
    Rewrite,
    lexical_query,
    parts_of,
)
from recsys.search.understanding.spelling import Speller
from recsys.search.understanding.synonyms import SynonymSet
from recsys.search.understanding.widening import spaced_parts, variant_parts

_NUMBER_ALONE = 0.8  # weight of a quantity's number, whatever its unit


SPELLING_REWRITERS = frozenset({SPELLING, SPACING, VARIANTS})  # off in "search instead for"


@dataclass(frozen=True)
class QueryKnowledge:
    """What a shop knows of words; immutable, and shared by all requests of one snapshot.

    Attributes:
        currency: the shop's code, such as USD; a price in another one is no condition.
    """

    speller: Speller = field(default_factory=lambda: Speller(EMPTY, NONE))
    clicked: ClickedQueries = field(default_factory=ClickedQueries)
    synonyms: SynonymSet = field(default_factory=SynonymSet)
    names: NamedValues = field(default_factory=NamedValues)
    categories: CategoryEvidence = field(default_factory=CategoryEvidence)
    currency: str | None = None
    analyzer: Analyzer = field(default_factory=Analyzer)

    @property
    def lexicon(self) -> Lexicon:
        """The catalog's words."""
        return self.speller.lexicon


@dataclass(frozen=True)
class UnderstoodQuery:
    """What is looked for.

    Attributes:
        original: as it was sent.
        normalised: folded, single blanks; equal for queries that differ in nothing else.
        text: what is searched, to be shown: the query with its corrections.
        meaning: the words that ask for something, for the text encoder: without prices and excluded words.
        lexical: the word groups.
        intent: conditions and boosts beside the words.
        rewrites: what was done, in the order of the rewriters.
    """

    original: str
    normalised: str
    text: str
    meaning: str
    lexical: LexicalQuery
    intent: Intent
    rewrites: tuple[Rewrite, ...]

    @property
    def corrected(self) -> bool:
        """Whether `text` has other words than the query: then "search instead for" offers the original.

        That is the same query with `SPELLING_REWRITERS` switched off.
        """
        return self.text != self.original.strip()


def understand(
    query: str,
    knowledge: QueryKnowledge,
    off: Collection[str] = (),
    in_index: Callable[[str], int] | None = None,
) -> UnderstoodQuery:
    """What `query` asks for; never raises for what it holds.

    Quoted phrases and -words are looked for as they are. A query that people click on, a word of the catalog
    or of such queries, one with a digit, and a code in capitals are not corrected.

    Args:
        off: names of `REWRITERS` that do nothing. Without `normalise` the text for the encoder stays as
            typed; words are folded all the same, since those of the index are.
        in_index: a term's count in the index, which may have words that the catalog's lexicon has not.

    Raises:
        RequestError: `off` names no rewriter.
    """
    unknown = sorted(set(off) - set(REWRITERS))
    if unknown:
        raise RequestError(f"no rewriter is called {unknown[0]!r}; there are {', '.join(REWRITERS)}")
    folded = fold_text(query)
    key = " ".join(folded.text.split())
    words = knowledge.analyzer.query_words(query)
    price = None if INTENT in off else price_words(query, folded, parts_of(words), knowledge.currency)
    if price is not None:
        words = tuple(word for word in words if word.end <= price.start or word.start >= price.end)
    rewrites = [] if NORMALISE in off else _normalised(query, key)
    parts, done = _coded_parts(words, knowledge.lexicon, off)
    rewrites += done
    if not knowledge.clicked.has(key):
        parts, done = corrected_parts(parts, knowledge.speller, off, knowledge.clicked.words, in_index)
        rewrites += done
    text = _text(query, parts)
    for name, rewriter in _wideners(knowledge):
        if name not in off:
            parts, done = rewriter(parts)
            rewrites += done
    intent = Intent()
    if INTENT not in off:
        intent = intent_of(key, parts, price, knowledge.names, knowledge.categories)
        rewrites += intent_rewrites(query, intent, price)
    return UnderstoodQuery(
        original=query,
        normalised=key,
        text=text,
        meaning=_meaning(parts, NORMALISE not in off),
        lexical=lexical_query(parts),
        intent=intent,
        rewrites=tuple(sorted(rewrites, key=lambda rewrite: REWRITERS.index(rewrite.name))),
    )


def _wideners(
    knowledge: QueryKnowledge,
) -> tuple[tuple[str, Callable[[Sequence[QueryPart]], tuple[list[QueryPart], list[Rewrite]]]], ...]:
    """What adds alternatives to words, in order."""
    return (
        (SPACING, lambda parts: spaced_parts(parts, knowledge.lexicon)),
        (VARIANTS, lambda parts: variant_parts(parts, knowledge.speller)),
        (SYNONYMS, knowledge.synonyms.applied),
    )


def _normalised(query: str, key: str) -> list[Rewrite]:
    """Named where more than case and blanks changed."""
    return [] if key == " ".join(query.casefold().split()) else [Rewrite(NORMALISE, query, key)]


def _coded_parts(
    words: Sequence[QueryWord], lexicon: Lexicon, off: Collection[str]
) -> tuple[list[QueryPart], list[Rewrite]]:
    """The parts, model numbers and quantities in all their writings."""
    parts = parts_of(words)
    identifiers, units = [], []
    for place, word in enumerate(words):
        if word.kind == "quantity":
            parts[place] = replace(parts[place], alternatives=_quantities(word, UNITS not in off))
            written = query_key(word.text).replace(" ", "")
            if UNITS not in off and written != word.terms[0]:
                units.append(Rewrite(UNITS, word.text, word.terms[0]))
        elif IDENTIFIERS not in off and parts[place].rewritable:
            code = _code_at(words, place, lexicon)
            for each in range(place, place + code[1]):
                more = Alternative((code[0],), 1.0, "identifier")
                parts[each] = replace(parts[each], alternatives=(*parts[each].alternatives, more))
            if code[1]:
                before = " ".join(each.text for each in words[place : place + code[1]])
                identifiers.append(Rewrite(IDENTIFIERS, before, code[0]))
    return parts, identifiers + units


def _quantities(word: QueryWord, with_unit: bool) -> tuple[Alternative, ...]:
    if word.strict or word.excluded or not word.weaker:
        return (Alternative(word.terms),)
    if not with_unit:
        return tuple(Alternative(terms) for terms in word.weaker)
    return (
        Alternative(word.terms, 1.0, "unit"),
        *(Alternative(terms, _NUMBER_ALONE, "unit") for terms in word.weaker),
    )


def _code_at(words: Sequence[QueryWord], place: int, lexicon: Lexicon) -> tuple[str, int]:
    """A model number without what stands between its parts, and how many words it is; ("", 0) for none.

    Of two words only where the catalog has the number: `WH 1000XM4`.
    """
    word = words[place]
    if word.kind == "identifier":
        code = identifier_term(word.text)
        if code is not None and (code,) != word.terms:
            return code, 1
    if place + 1 < len(words) and not words[place + 1].strict and not words[place + 1].excluded:
        both = word.text + words[place + 1].text
        has_both = any(each.isdigit() for each in both) and any(each.isalpha() for each in both)
        code = identifier_term(both) if has_both and len(both) > 4 else None
        if code is not None and code in lexicon.index_of_term:
            return code, 2
    return "", 0


def _text(query: str, parts: Sequence[QueryPart]) -> str:
    """The query with the words that were meant in the place of those that were typed."""
    pieces: list[str] = []
    place = 0
    for part in parts:
        if part.start < place:
            pieces.append(f" {part.surface}")  # a further word of a split
        elif part.alternatives[0].source in CORRECTED:
            pieces += [query[place : part.start], part.surface]
        else:
            continue
        place = part.end
    return "".join([*pieces, query[place:]]).strip()


def _meaning(parts: Sequence[QueryPart], folded: bool) -> str:
    words = []
    for part in parts:
        if not part.excluded:
            typed = part.alternatives[0].source not in CORRECTED
            words.append((query_key(part.text) if folded else part.text) if typed else part.surface)
    return " ".join(words)
