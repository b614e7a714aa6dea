"""The speller reads all words of a query together, and leaves alone what is right."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.analysis.stems import term_of
from recsys.search.understanding.catalog_words import catalog_lexicon, correctable_words, near_words_of
from recsys.search.understanding.edits import edit_cost, edits_between, letter_places
from recsys.search.understanding.spelling import Speller, SpellingWeights, TypedWord, lifts

TITLES = (
    *["wooden chair with cushion"] * 8,
    *["garden chain link fence"] * 8,
    *["stainless steel dishwasher"] * 8,
    *["fire pit of stone"] * 8,
    *["led light bulb"] * 8,
    *["leather sofa"] * 8,
)


def speller(language: tuple[str, ...] = (), weights: SpellingWeights | None = None) -> Speller:
    lexicon = catalog_lexicon([(title,) for title in TITLES], Analyzer())
    near = near_words_of(correctable_words(lexicon))
    return Speller(lexicon, near, frozenset(language), weights or SpellingWeights())


def typed(text: str) -> list[TypedWord]:
    return [TypedWord(word, term_of(word)) for word in text.split()]


def read(text: str, **options: bool) -> str:
    words = text.split()
    for found in reversed(speller().corrections(typed(text), **options)):
        words[found.start : found.end] = found.words
    return " ".join(words)


def optimal_alignment(one: str, other: str) -> int:
    rows = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) + 1):
        for j in range(len(other) + 1):
            if not i or not j:
                rows[i][j] = i + j
                continue
            rows[i][j] = min(
                rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            )
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


@given(st.text("abcd", min_size=1, max_size=12), st.text("abcd", max_size=12))
def test_edits_in_bit_vectors_are_those_of_the_table(one: str, other: str) -> None:
    assert edits_between(letter_places(one), len(one), other) == optimal_alignment(one, other)


@pytest.mark.parametrize(
    ("wrong", "meant", "cost"),
    [
        ("walll", "wall", 0.4),  # a letter twice
        ("dooe", "door", 0.8),  # keys beside
        ("vinel", "vinal", 0.7),  # a vowel for a vowel
        ("dut", "duty", 1.0),  # a letter left out
        ("dhower", "shower", 0.6 + 0.8),  # the first letter, the key beside
        ("headfone", "headphone", 0.7),  # sounds alike
    ],
)
def test_an_edit_costs_by_how_it_happens(wrong: str, meant: str, cost: float) -> None:
    assert edit_cost(wrong, meant, 3.0) == pytest.approx(cost)
    assert edit_cost(wrong, meant, cost - 0.1) == float("inf")


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("lether sofa", "leather sofa"),
        ("stainles steal dishwaser", "stainless steel dishwasher"),
        ("chainlink fence", "chain link fence"),  # a space left out
        ("ledlight bulb", "led light bulb"),
        ("dish washer", "dishwasher"),  # neither part is in the catalog
        ("wooden chaircushion", "wooden chair cushion"),
        ("cushio n chair", "cushion chair"),  # a space too many
        ("leathe rsofa", "leather sofa"),  # a space misplaced
    ],
)
def test_typing_errors_are_corrected(query: str, meant: str) -> None:
    assert read(query) == meant


def test_the_other_words_decide_between_two_readings() -> None:
    assert read("chaim fence") == "chain fence"
    assert read("chaim cushion") == "chair cushion"  # m stands for n rather, but chains have no cushions


def test_a_score_is_the_sum_that_the_module_states() -> None:
    weights = SpellingWeights(least_gain=-99.0)
    (found,) = speller(weights=weights).corrections(typed("lether sofa"))
    # 8 of 48 texts have `leather`; a vowel is left out
    option = 0.5 * log(8 * sqrt(50_000 / 48)) - 3.0 * 0.7
    together = 0.6 * log((8 + 0.5) / (8 * 8 / 48 + 0.5))  # 8 of 48 texts have both
    kept = -4.0 * 6 / 6
    assert found.gain == pytest.approx(option + together - kept)


def test_lifts_compare_with_chance() -> None:
    lexicon = speller().lexicon
    sofa, leather, fire = (lexicon.index_of_term[term] for term in ("sofa", "leather", "fire"))
    found = lifts(lexicon, np.array([sofa, leather, fire]))
    assert found[0, 1] == pytest.approx(log(8.5 / (64 / 48 + 0.5)))
    assert found[0, 2] == pytest.approx(log(0.5 / (64 / 48 + 0.5)))


def test_a_word_of_the_language_needs_more_evidence() -> None:
    def changes(word: str) -> bool:
        return bool(speller((word,)).corrections(typed(word)))

    assert read("chait") == "chair"
    assert not changes("chait")


@pytest.mark.parametrize("query", ["chairs", "wooden", "cushioned chair", "xyzzy", "qq", "a b c"])
def test_what_is_right_or_like_nothing_stays(query: str) -> None:
    assert read(query) == query


def test_a_fixed_word_stays() -> None:
    assert speller().corrections([TypedWord("lether", "lether", fixed=True), *typed("sofa")]) == ()


def test_letters_and_spaces_are_switched_by_themselves() -> None:
    assert read("lether chainlink", edits=False) == "lether chain link"
    assert read("lether chainlink", spaces=False) == "leather chainlink"


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=50), max_size=30))
def test_no_words_are_too_strange(words: list[str]) -> None:
    found = speller().corrections([TypedWord(word, word) for word in words])
    assert all(0 <= each.start < each.end <= len(words) for each in found)
