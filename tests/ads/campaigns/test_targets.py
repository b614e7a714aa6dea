"""Keywords are written and read; targets say what a request may be about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.campaigns.documents import targets_of, targets_to_json
from recsys.ads.campaigns.targets import (
    SURFACES,
    Keyword,
    Match,
    Targets,
    keyword_text,
    parse_keyword,
    parse_surface,
)
from recsys.errors import DataError, RequestError

words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)
texts = st.lists(words, min_size=1, max_size=4).map(" ".join)
keywords = st.builds(Keyword, texts, st.sampled_from(["exact", "phrase", "broad"]), st.booleans())
names = st.lists(words, max_size=3).map(tuple)
targets = st.builds(
    Targets,
    names,
    names,
    st.lists(keywords, max_size=4).map(tuple),
    st.none() | words,
    st.lists(st.sampled_from(SURFACES), unique=True).map(tuple),
)


@given(keywords)
def test_a_keyword_is_written_and_read(keyword: Keyword) -> None:
    assert parse_keyword(keyword_text(keyword)) == keyword


@given(targets)
def test_targets_are_kept_as_they_are(one: Targets) -> None:
    assert targets_of(targets_to_json(one)) == one


@pytest.mark.parametrize(
    ("text", "match", "negative"),
    [
        ("oat milk", "broad", False),
        ('"oat milk"', "phrase", False),
        ("[oat milk]", "exact", False),
        ("-oat milk", "broad", True),
        ("  -[oat\tmilk] ", "exact", True),
    ],
)
def test_the_form_says_how_a_keyword_matches(text: str, match: Match, negative: bool) -> None:
    assert parse_keyword(text) == Keyword("oat milk", match, negative)


@pytest.mark.parametrize("text", ["", "-", "[]", '""', "[a", 'a"b', "[a]b", "--", "x" * 81, "[ ]"])
def test_what_is_no_keyword_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(RequestError, match=r"is no keyword\. Write \[oat milk\]"):
        parse_keyword(text)


def test_targets_are_open_where_only_what_narrows_is_said() -> None:
    assert Targets(
        keywords=(Keyword("free", negative=True),), segment="views_7d > 1", surfaces=("home",)
    ).is_open
    assert not Targets(keywords=(Keyword("milk"),)).is_open
    assert not Targets(items=("p1",)).is_open


def test_an_unknown_surface_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError, match=r"'cart' is no surface\. Write one of: home, search"):
        parse_surface("cart")


def test_targets_of_a_newer_version_are_refused() -> None:
    document = {**targets_to_json(Targets()), "surfaces": ["checkout"]}
    with pytest.raises(DataError, match="Upgrade recsys"):
        targets_of(document)
