"""JSON objects as texts: one text for each object, within bounds."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.json_text import json_depth, json_object, sorted_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_an_object_comes_back_and_its_text_does_not_depend_on_the_order_of_its_names(value: Any) -> None:
    text = sorted_json(value, 10_000, 50)
    assert json_object(text) == orjson.loads(orjson.dumps(value))
    assert sorted_json(dict(reversed(value.items())), 10_000, 50) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["a"], "is not a JSON object"),
        ("text", "is not a JSON object"),
        ({"a": {"b": [1]}}, "more than 2 deep"),
        ({"a": "x" * 13}, "is 21 bytes of JSON, and 20 are the most"),
        ({"a": float("nan")}, "the number nan"),
        ({"a": b"b"}, "a bytes"),
        ({1: "a"}, "a name that is not a text"),
        ({"a": 2**70}, "Integer exceeds 64-bit range"),
        ({"a": "\ud800"}, "str is not valid UTF-8"),
    ],
)
def test_what_is_no_bounded_object_is_told_with_its_reason(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        sorted_json(value, 20, 2)


def test_the_bounds_themselves_are_allowed() -> None:
    assert len(sorted_json({"a": "x" * 12}, 20, 2)) == 20
    assert json_depth({"a": {"b": 1}}, 2) == 2


def test_depth_is_counted_no_further_than_asked() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert json_depth(deep, 5) == 6
