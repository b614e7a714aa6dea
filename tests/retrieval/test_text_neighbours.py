"""The nearest by vector and by words, against what can be counted by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.retrieval import text_neighbours
from recsys.retrieval.text_neighbours import nearest_by_vector, nearest_by_words
from recsys.retrieval.tfidf import tfidf_matrix


@given(st.integers(2, 30), st.integers(1, 5), st.integers(0, 10))
def test_the_nearest_by_vector_are_those_of_all_products(size: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(size, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    found, cosines = nearest_by_vector(vectors, count)
    products = vectors @ vectors.T
    np.fill_diagonal(products, -1)
    products[:, 0] = -1
    for row in range(1, size):
        true = np.sort(products[row])[::-1][:count]
        true = true[true > 0]
        np.testing.assert_allclose(cosines[row][: len(true)], true, atol=1e-5)
        assert not cosines[row][len(true) :].any()
        np.testing.assert_allclose(products[row][found[row][: len(true)]], true, atol=1e-5)
    assert not found[0].any()


def test_an_item_without_text_is_near_nothing() -> None:
    vectors = np.array([[0, 0], [1, 0], [0, 0], [0.8, 0.6]], np.float32)
    found, cosines = nearest_by_vector(vectors, 2)
    assert found.tolist() == [[0, 0], [3, 0], [0, 0], [1, 0]]
    np.testing.assert_allclose(cosines[1], [0.8, 0])
    assert not nearest_by_vector(np.zeros((3, 2), np.float32), 2)[0].any()


def test_many_items_are_searched_by_cells_and_still_find_their_twin(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(text_neighbours, "_EXACT_UP_TO", 100)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(401, 8)).astype(np.float32)
    vectors[201:] = vectors[1:201]  # everybody has a twin
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    found, _ = nearest_by_vector(vectors, 3)
    twins = np.concatenate([np.arange(201, 401), np.arange(1, 201)])
    assert np.mean(found[1:, 0] == twins) > 0.95


def test_who_shares_rare_words_is_nearer() -> None:
    texts = ["", "red pump shoe", "blue pump shoe", "red boot", "lamp", ""]
    found, cosines = nearest_by_words(texts, 3)
    assert found[1].tolist()[:2] == [2, 3]  # two words in common, then one
    assert cosines[1, 0] > cosines[1, 1] > 0
    assert not found[4].any()
    assert not found[5].any()


def test_words_that_join_everything_are_left_out_where_pairs_are_too_many(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    texts = ["", *(f"oz brand{number // 2}" for number in range(20)), "lamp", "pen"]
    assert (nearest_by_words(texts, 5)[0][1] > 0).sum() == 5
    monkeypatch.setattr(text_neighbours, "_MOST_PAIRS", 100)
    assert nearest_by_words(texts, 5)[0][1].tolist() == [2, 0, 0, 0, 0]


@given(
    st.lists(
        st.sampled_from(["", "red pump", "red boot", "blue pump", "lamp", "red"]), min_size=2, max_size=25
    ),
    st.integers(1, 6),
)
def test_the_nearest_by_words_are_those_of_all_products_among_equal_texts_too(
    texts: list[str], count: int
) -> None:
    texts = ["", *texts]
    words = tfidf_matrix(texts).toarray().astype(np.float64)
    products = words @ words.T
    np.fill_diagonal(products, 0)
    found, cosines = nearest_by_words(texts, count)
    for row, product in enumerate(products):
        order = np.argsort(-product.round(5), kind="stable")[:count]  # ties by index
        expected = np.where(product[order] > 0, order, 0)
        np.testing.assert_array_equal(found[row][: len(order)], expected)
        np.testing.assert_allclose(cosines[row][: len(order)], product[order], atol=1e-5)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.integers(1, 5))
def test_equal_vectors_are_near_each_other_and_each_without_itself(kinds: list[int], count: int) -> None:
    vectors = np.concatenate([np.zeros((1, 5)), np.eye(5)[kinds]]).astype(np.float32)
    found, cosines = nearest_by_vector(vectors, count)
    for row, kind in enumerate(kinds, start=1):
        twins = [other for other, each in enumerate(kinds, start=1) if each == kind and other != row]
        assert set(found[row][found[row] > 0].tolist()) <= set(twins)
        assert (cosines[row] > 0).sum() == min(count, len(twins))
