import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.retrieval.term_rows import TermRows
from recsys.search.relevance.features import (
    FEATURES,
    FoundScores,
    KnownOfItems,
    QueryTerms,
    places_of,
    relevance_features,
)

ANALYZER = Analyzer()
TITLES = [
    "",
    "Acme red wool hat",
    "Acme hat, red, of silk",
    "blue cotton scarf 2 pack",
    "红色连衣裙 女 夏季",
    "",
]
ROWS = TermRows.build(TITLES, ANALYZER)


def scores(count: int) -> FoundScores:
    lexical = np.linspace(4, 0, count, dtype=np.float32)
    cosine = np.linspace(0.5, 0.25, count, dtype=np.float32)
    return FoundScores(lexical, 8.0, (4.0, 2.0), cosine, 0.75, (0.5, 0.25), (0.25, 0.125), cosine, 0.75)


def features(query: str, items: list[int], known: KnownOfItems | None = None) -> dict[str, list[float]]:
    terms = QueryTerms.of(query, ROWS, ANALYZER)
    rows = relevance_features(terms, np.array(items, np.int64), ROWS, scores(len(items)), known)
    assert rows.shape == (len(items), len(FEATURES))
    return {name: rows[:, place].tolist() for place, name in enumerate(FEATURES)}


def test_coverage_counts_words_and_their_rarity():
    found = features("red hat", [1, 2, 3])
    assert found["count_coverage"] == [1, 1, 0]
    assert found["rarity_coverage"] == pytest.approx([1, 1, 0], abs=1e-4)
    assert found["title_coverage"] == [2 / 4, pytest.approx(2 / 5), 0]
    assert found["last_matched"] == [1, 1, 0]
    rarer = features("hat silk", [1])  # silk is in one title, hat in two
    assert rarer["count_coverage"] == [0.5]
    assert rarer["rarity_coverage"][0] < 0.5


def test_a_phrase_is_one_where_the_words_follow_one_another():
    found = features("red wool hat", [1, 2])
    assert found["is_phrase"] == [1, 0]
    assert found["neighbours_kept"] == [1, 0]


def test_places_are_counted_from_both_ends():
    found = features("hat", [1, 2, 3])
    assert found["first_place"][:2] == [3 / 4, pytest.approx(1 / 5)]
    assert found["last_place"][:2] == [0, pytest.approx(3 / 5)]
    assert np.isnan(found["first_place"][2])


def test_misspelled_words_are_alike():
    found = features("sillk scaarf", [1, 2, 3])
    assert found["count_coverage"] == [0, 0, 0]
    assert found["query_unknown_share"] == [1, 1, 1]
    assert found["alike_mean"][2] > found["alike_mean"][0]


def test_digits_are_compared_apart():
    assert features("2 pack scarf", [3, 1])["digits_matched"] == [1, 0]
    assert np.isnan(features("scarf", [3])["digits_matched"][0])


def test_han_pairs_are_words():
    found = features("红色连衣裙", [4, 1])
    assert found["rarity_coverage"] == pytest.approx([1, 0], abs=1e-4)
    assert found["query_han_share"] == [1, 1]
    assert found["is_phrase"] == [1, 0]


def test_scores_are_told_by_the_best_and_by_the_background():
    found = features("red", [1, 2])
    assert found["lexical_of_best"] == pytest.approx([0.5, 0], abs=1e-4)
    assert found["cosine_standard"] == [(0.5 - 0.25) / 0.125, 0]
    assert found["cosine_below_best"] == [-2, -4]
    assert found["query_cosine_10"] == [2, 2]
    assert found["lexical_over_100"] == pytest.approx([2, 0], abs=1e-4)


def test_what_is_not_known_is_missing():
    found = features("red", [1])
    for name in ("category_coverage", "identifier_match", "popularity", "age_days", "personal"):
        assert np.isnan(found[name]).all()
    categories = TermRows.build(["", "red things", "", "", "", ""], ANALYZER)
    known = KnownOfItems({"category_coverage": categories}, np.array([True, False]), np.array([0.5, 1.0]))
    found = features("red", [1, 2], known)
    assert found["category_coverage"][0] == pytest.approx(1, abs=1e-4)
    assert np.isnan(found["category_coverage"][1])
    assert found["identifier_match"] == [1, 0]
    assert found["popularity"] == [0.5, 1]


def test_places_of_a_short_list_are_zero():
    assert places_of(np.zeros(0, np.float32)) == (0, 0)
    assert places_of(np.arange(100, 0, -1, dtype=np.float32)) == (91, 1)


@settings(max_examples=60, deadline=None)
@given(query=st.text(max_size=60), items=st.lists(st.integers(0, 5), max_size=6))
def test_any_query_gives_numbers_or_missing_ones(query, items):
    found = features(query, items)
    assert not np.isinf(np.array(list(found.values()), np.float64)).any()


@settings(max_examples=30, deadline=None)
@given(
    query=st.sampled_from(["red hat", "红色 hat", "scarf 2", "silk"]), items=st.permutations([1, 2, 3, 4, 5])
)
def test_an_items_words_do_not_depend_on_its_company(query, items):
    together = features(query, list(items))
    for place, item in enumerate(items):
        alone = features(query, [item])
        for name in ("rarity_coverage", "alike_mean", "first_place", "title_extra", "neighbours_kept"):
            assert together[name][place] == pytest.approx(alone[name][0], nan_ok=True)
