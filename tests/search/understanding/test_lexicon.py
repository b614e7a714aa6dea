"""A lexicon counts words, terms, and which stand together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.errors import ArtifactMismatchError
from recsys.search.understanding import lexicon as lexicons
from recsys.search.understanding.catalog_words import catalog_lexicon, words_of
from recsys.search.understanding.lexicon import Lexicon, Word, lexicon_arrays, lexicon_from_arrays, lexicon_of

TEXTS = ("red door knobs", "door knob in red", "red doors", "")


def together(lexicon: Lexicon, one: str, other: str) -> float:
    index = lexicon.index_of_term
    return float(lexicon.together(np.array([index.get(one, -1)]), np.array([index.get(other, -1)]))[0])


def followed(lexicon: Lexicon, one: str, other: str) -> float:
    index = lexicon.index_of_term
    return float(lexicon.followed(np.array([index.get(one, -1)]), np.array([index.get(other, -1)]))[0])


def fields(*titles: str) -> list[tuple[str, str]]:
    return [(title, "") for title in titles]


def same(one: Lexicon, other: Lexicon) -> bool:
    arrays, others = lexicon_arrays(one), lexicon_arrays(other)
    return all(np.array_equal(arrays[name], others[name]) for name in arrays)


def test_words_are_counted_by_text_and_terms_join_their_inflections() -> None:
    lexicon = catalog_lexicon(fields(*TEXTS), Analyzer())
    assert lexicon.documents == 3  # one text is empty
    counts = dict(zip(lexicon.words, lexicon.word_counts.tolist(), strict=True))
    assert (counts["knob"], counts["knobs"], counts["door"]) == (1, 1, 2)
    assert (lexicon.count_of_term("knob"), lexicon.count_of_term("door"), lexicon.count_of_term("sofa")) == (
        2,
        3,
        0,
    )


def test_pairs_count_texts_and_order_counts_only_for_what_follows() -> None:
    lexicon = catalog_lexicon(fields(*TEXTS), Analyzer())
    assert together(lexicon, "red", "knob") == together(lexicon, "knob", "red") == 2
    assert (followed(lexicon, "door", "knob"), followed(lexicon, "knob", "door")) == (2, 0)
    assert together(lexicon, "red", "sofa") == followed(lexicon, "sofa", "red") == 0


def test_a_field_is_read_by_itself_and_counts_with_the_item() -> None:
    lexicon = catalog_lexicon([("drill 18", "v belts"), ("drill 18", "tools")], Analyzer())
    assert (lexicon.documents, lexicon.count_of_term("drill"), lexicon.count_of_term("tool")) == (2, 2, 1)
    assert together(lexicon, "drill", "belt") == 1
    assert lexicon.count_of_term("18v") == 0  # the number ends the title, the unit begins the category


def test_a_hyphenated_word_is_counted_joined_too() -> None:
    assert Word("selfrimming", "selfrim") in words_of(Analyzer(), "Self-rimming sink")


def test_texts_that_come_later_count_as_if_they_had_been_there() -> None:
    words = [words_of(Analyzer(), text) for text in TEXTS]
    assert same(lexicon_of(words[:1]).with_texts(words[1:]), lexicon_of(words))


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=8), st.integers(0, 8))
def test_any_order_of_growth_gives_the_same_counts(texts: list[list[str]], cut: int) -> None:
    words = [[Word(letter, letter) for letter in text] for text in texts]
    grown = lexicon_of(words[:cut]).with_texts(words[cut:])
    assert same(grown, lexicon_of(words))
    for one in "abc":
        for other in "def":
            assert together(grown, one, other) == sum({one, other} <= set(text) for text in texts)


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=8), st.integers(1, 5))
def test_pairs_counted_by_parts_are_those_counted_at_once(texts: list[list[str]], at_once: int) -> None:
    words = [[Word(letter, letter) for letter in text] for text in texts]
    whole = lexicon_of(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexicons, "_PAIRS_AT_ONCE", at_once)
        assert same(lexicon_of(words), whole)


def test_arrays_bring_the_lexicon_back() -> None:
    lexicon = catalog_lexicon(fields(*TEXTS, "红色 dress 5 in."), Analyzer())
    assert same(lexicon_from_arrays(lexicon_arrays(lexicon)), lexicon)


def test_arrays_that_do_not_fit_are_refused_with_the_remedy() -> None:
    arrays = dict(lexicon_arrays(catalog_lexicon(fields(*TEXTS), Analyzer())))
    with pytest.raises(
        ArtifactMismatchError, match=r"word_counts has 1 entries for .*; train the bundle again"
    ):
        lexicon_from_arrays({**arrays, "word_counts": np.array([1])})
    del arrays["pair_keys"]
    with pytest.raises(ArtifactMismatchError, match="no pair_keys"):
        lexicon_from_arrays(arrays)


def test_over_the_bound_the_rarest_pairs_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicons, "MOST_PAIRS", 2)
    lexicon = catalog_lexicon(fields("red door", "red door", "red knob", "blue knob"), Analyzer())
    assert together(lexicon, "red", "door") == 2
    assert len(lexicon.pair_keys) <= 2
