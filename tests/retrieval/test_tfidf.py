"""Titles as weighted words."""

import math

import numpy as np
import pytest

from recsys.retrieval.tfidf import split_words, tfidf_matrix


def test_words_are_lower_case_and_chinese_is_cut_by_character() -> None:
    assert split_words("Café-Bar 24/7, 红酒ABC") == ["café", "bar", "24", "7", "红", "酒", "abc"]


def test_rows_have_unit_length_and_rare_words_weigh_more() -> None:
    matrix = tfidf_matrix(["red wine", "red", "red red beer", ""]).toarray()
    assert np.linalg.norm(matrix, axis=1) == pytest.approx([1, 1, 1, 0])
    # red is in 3 of 4 texts, wine in 1: their rarities are log(5/4) and log(5/2).
    red, wine = math.log(5 / 4), math.log(5 / 2)
    assert matrix[0].max() == pytest.approx(wine / math.hypot(red, wine))


def test_the_same_title_twice_is_as_near_as_can_be() -> None:
    matrix = tfidf_matrix(["", "cola zero", "cola zero", "bread"])
    nearness = (matrix @ matrix.T).toarray()
    assert nearness[1, 2] == pytest.approx(1)
    assert nearness[1, 3] == nearness[0, 1] == 0
