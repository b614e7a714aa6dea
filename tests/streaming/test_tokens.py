"""Tokens survive the way to the client and back, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import RequestError
from recsys.streaming.tokens import encode_token, parse_token


@given(st.dictionaries(st.integers(0, 8), st.integers(1, 2**62), min_size=1))
def test_what_was_encoded_is_parsed(offsets: dict[int, int]) -> None:
    assert parse_token(encode_token(offsets), partitions=8) == offsets


def test_a_partition_that_does_not_exist_is_named() -> None:
    with pytest.raises(RequestError, match="names partition 9; the last is 8"):
        parse_token("1:2,9:1", partitions=8)
