"""Keywords match as advertisers expect: exactly, as a phrase, or with all their words in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.campaigns.targets import Keyword, Match
from recsys.ads.matching.keywords import KeywordIndex, contains, read_keyword, units_of

MATCHES: tuple[Match, ...] = ("exact", "phrase", "broad")
words = st.sampled_from(["oat", "milk", "fresh", "燕麦", "奶", "500ml", "T-shirt", "!"])
texts = st.lists(words, min_size=1, max_size=4).map(" ".join)
keywords = st.builds(Keyword, texts, st.sampled_from(MATCHES))


def matching(keyword: str, query: str) -> list[Match]:
    return [match for match in MATCHES if read_keyword(Keyword(keyword, match)).is_in(units_of(query))]


@pytest.mark.parametrize(
    ("keyword", "query", "expected"),
    [
        ("oat milk", "Oat Milk!", ["exact", "phrase", "broad"]),
        ("oat milk", "oat milks", ["exact", "phrase", "broad"]),  # one stem
        ("oat milk", "fresh oat milk 1l", ["phrase", "broad"]),
        ("oat milk", "milk of oat", ["broad"]),
        ("oat milk", "oat drink", []),
        ("oat", "oatmeal", []),  # words as wholes
        ("500 ml", "500ML", ["exact", "phrase", "broad"]),
        ("燕麦奶", "燕麦 奶", ["exact", "phrase", "broad"]),
        ("燕麦奶", "有机燕麦奶", ["phrase", "broad"]),
        ("有机 燕麦奶", "燕麦奶有机", ["broad"]),
        ("ｏａｔ", "oat", ["exact", "phrase", "broad"]),  # folded
        ("!", "!", []),
        ("oat", "", []),
    ],
)
def test_how_a_keyword_matches(keyword: str, query: str, expected: list[Match]) -> None:
    assert matching(keyword, query) == expected


@given(texts, texts)
def test_what_matches_exactly_matches_as_a_phrase_and_what_does_so_broadly(keyword: str, query: str) -> None:
    assert matching(keyword, query) in ([], ["broad"], ["phrase", "broad"], list(MATCHES))


@given(texts, texts, texts)
def test_more_words_around_a_phrase_do_not_hide_it(before: str, phrase: str, after: str) -> None:
    units = units_of(phrase)
    assert contains((*units_of(before), *units, *units_of(after)), units)


@given(st.lists(keywords, max_size=12), texts | st.just(""))
def test_the_index_finds_what_a_look_at_every_keyword_finds(filed: list[Keyword], query: str) -> None:
    units = units_of(query)
    expected = {number for number, keyword in enumerate(filed) if read_keyword(keyword).is_in(units)}
    assert KeywordIndex((keyword, number) for number, keyword in enumerate(filed)).owners(units) == expected
