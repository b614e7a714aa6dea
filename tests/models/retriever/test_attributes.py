import json
import math

import numpy as np
import pytest

from recsys.models.retriever.attributes import MAX_TOKENS, AttributeVocabulary, attribute_rows

ROWS = [
    {"colour": "red", "tags": ["new", "sale"], "grams": 10},
    {"colour": "red", "tags": ["new"], "grams": 1000},
    {"colour": "blue", "tags": [], "grams": None},
    {"colour": "grey"},
]


def test_frequent_values_become_tokens_and_rare_ones_do_not():
    vocabulary = AttributeVocabulary.fit(ROWS, min_count=2)
    assert vocabulary.tokens == ("colour=red", "tags=new")
    codes, _ = vocabulary.encode(ROWS)
    assert codes.tolist() == [[1, 2], [1, 2], [0, 0], [0, 0]]


def test_a_value_that_every_item_has_says_nothing_and_is_left_out():
    rows = [{"shop": "a", "size": "s"}, {"shop": "a", "size": "m"}]
    assert AttributeVocabulary.fit(rows, min_count=1).tokens == ("size=m", "size=s")


def test_numbers_are_logarithmic_and_standardised_and_missing_ones_are_flagged():
    vocabulary = AttributeVocabulary.fit(ROWS, min_count=2)
    (field,) = vocabulary.numbers
    low, high = math.log(11), math.log(1001)
    assert (field.name, field.mean) == ("grams", pytest.approx((low + high) / 2))
    _, numbers = vocabulary.encode(ROWS)
    np.testing.assert_allclose(numbers, [[-1, 0], [1, 0], [0, 1], [0, 1]], atol=1e-6)


def test_an_absurd_number_is_clipped():
    vocabulary = AttributeVocabulary.fit(ROWS)
    _, numbers = vocabulary.encode([{"grams": 1e300}, {"grams": float("nan")}, {"grams": -1e300}])
    assert numbers.tolist() == [[4, 0], [0, 1], [-4, 0]]


def test_unknown_fields_and_values_are_silent():
    codes, numbers = AttributeVocabulary.fit(ROWS, min_count=2).encode([{"colour": "pink", "wings": 2}])
    assert (codes.tolist(), numbers.tolist()) == ([[0]], [[0.0, 1.0]])


def test_an_item_with_many_values_keeps_the_most_frequent():
    rows = [{"tags": [f"t{n:03}" for n in range(100)]}, {"tags": ["t050"]}, {}]
    codes, _ = AttributeVocabulary.fit(rows, min_count=1).encode(rows)
    assert codes.shape == (3, MAX_TOKENS)
    assert codes[0, 0] == codes[1, 0] == 1  # t050, of two items


def test_described_as_json_and_rebuilt_it_encodes_the_same():
    vocabulary = AttributeVocabulary.fit(ROWS, min_count=1)
    again = AttributeVocabulary.rebuild(json.loads(json.dumps(vocabulary.describe())))
    assert again == vocabulary


def test_category_brand_and_price_count_as_attributes(catalog):
    rows = attribute_rows(catalog)
    assert rows[0] == {}
    assert rows[1]["category"] == "toys"
    assert rows[1]["price_micros"] == 1e6
    assert rows[1]["colour"] == ["red", "blue"]
