"""Synonyms widen a query by phrases, are weaker than its words, and are checked before they are used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.errors import DataError
from recsys.retrieval.lexical.query import Alternative
from recsys.search.understanding.parts import parts_of
from recsys.search.understanding.synonym_file import read_synonyms
from recsys.search.understanding.synonyms import SynonymSet, synonym_set

ANALYZER = Analyzer()


def compiled(text: str) -> SynonymSet:
    return synonym_set(read_synonyms(text), ANALYZER)


def widened(text: str, query: str) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    """Word of the query -> the synonyms that may stand for it."""
    parts, _ = compiled(text).applied(parts_of(ANALYZER.query_words(query)))
    return {part.text: [(each.terms, each.weight) for each in part.alternatives[1:]] for part in parts}


def used(text: str, query: str) -> list[tuple[str, str]]:
    _, rewrites = compiled(text).applied(parts_of(ANALYZER.query_words(query)))
    return [(rewrite.before, rewrite.after) for rewrite in rewrites]


def test_one_way_helps_who_asks_for_the_left_side() -> None:
    entries = "sofa => couch, settee^0.5"
    assert widened(entries, "red sofas") == {"red": [], "sofas": [(("couch",), 0.7), (("sette",), 0.5)]}
    assert widened(entries, "couch") == {"couch": []}
    assert used(entries, "red sofas") == [("sofas", "couch, settee")]


def test_two_way_helps_both() -> None:
    assert widened("sofa, couch", "couch") == {"couch": [(("sofa",), 0.7)]}
    assert widened("sofa, couch", "sofa") == {"sofa": [(("couch",), 0.7)]}


def test_phrases_stand_for_phrases_and_never_for_one_of_their_words() -> None:
    entries = "tv stand, media console"
    phrase = [(("media", "consol"), 0.7)]
    assert widened(entries, "oak tv stand") == {"oak": [], "tv": phrase, "stand": phrase}
    assert widened(entries, "tv") == {"tv": []}
    assert widened(entries, "stand tv") == {"stand": [], "tv": []}


def test_the_longest_entry_at_a_place_holds() -> None:
    entries = "dog => puppy\nhot dog => sausage"
    assert widened(entries, "hot dog")["dog"] == [(("sausag",), 0.7)]
    assert widened(entries, "big dog")["dog"] == [(("puppi",), 0.7)]


def test_chinese_words_and_phrases_have_synonyms() -> None:
    assert widened("裙子 => 连衣裙", "红色 裙子")["裙子"] == [(("连衣裙",), 0.7)]
    assert used("笔记本电脑, 手提电脑", "笔记本电脑")[0][1] == "手提电脑"
    assert used("手機 => phone", "手机") == [("手机", "phone")]  # Traditional is Simplified


@pytest.mark.parametrize("query", ['"sofa"', "-sofa chair"])
def test_quoted_and_excluded_words_are_not_widened(query: str) -> None:
    assert used("sofa => couch", query) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sofa", "line 1: 'sofa' names no synonym; write"),
        ("# fine\n\nsofa => ", "line 3: nothing stands beside a comma or arrow"),
        ("a b => c => d", "line 1: .* has two arrows"),
        ("sofa^0.5 => couch", "line 1: a weight belongs to a synonym"),
        ("sofa => couch^much", "line 1: the weight 'much' is no number"),
        ("sofa => couch^1", r"line 1: the weight 1.0 of 'couch' is not between 0 and 1"),
        ("sofa => sofas", "line 1: 'sofa' and 'sofas' are the same to the search"),
        ("sofa => couch\ncouch, sofa", "line 2: 'couch' is a synonym of 'sofa' already"),
        ("sofa => ...", "line 1: '...' has no word"),
        ('sofa => "couch"', "line 1: .* has quotation marks"),
        ("a1 => b1\nb1 => c1\nc1 => a1", "line 3: .* is a circle; write `a, b`"),
        ("words,synonym\nsofa", "line 2: 1 cells for the 2 columns"),
        ("words,synonym,wheight\nsofa,couch,1", "line 1: the columns are words, synonym, wheight"),
        ("words,synonym,two_way\nsofa,couch,perhaps", "line 2: two_way is 'perhaps'"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        compiled(text)


def test_a_chain_without_a_circle_is_fine_and_is_not_followed() -> None:
    assert widened("sofa => couch\ncouch => settee", "sofa") == {"sofa": [(("couch",), 0.7)]}


def test_csv_says_the_same_as_lines() -> None:
    csv = "words,synonym,weight,two_way\nsofa,couch,0.5,yes\ntv stand,media console,,\n"
    lines = "sofa, couch^0.5\ntv stand => media console"
    assert [(e.words, e.synonym, e.weight, e.two_way) for e in read_synonyms(csv)] == [
        (e.words, e.synonym, e.weight, e.two_way) for e in read_synonyms(lines)
    ]


@given(st.text(max_size=100))
def test_no_file_is_too_strange(text: str) -> None:
    try:
        synonyms = compiled(text)
    except DataError:
        return
    assert all(0 < entry.weight < 1 for entry in synonyms.entries)


def test_the_word_itself_comes_first_and_counts_more() -> None:
    parts, _ = compiled("sofa => couch").applied(parts_of(ANALYZER.query_words("sofa")))
    assert parts[0].alternatives == (Alternative(("sofa",)), Alternative(("couch",), 0.7, "synonym"))
