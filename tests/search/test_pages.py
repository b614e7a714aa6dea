from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.dataset.interactions import Vocabulary
from recsys.errors import CursorExpiredError, InvalidCursorError
from recsys.search.pages import Cursor, CursorCodec, decode_order, encode_order, fingerprint
from recsys.search.requests import SearchRequest

CODEC = CursorCodec(b"k" * 32)
REQUEST = SearchRequest("r2", "oat milk", user_id="u")
CURSOR = Cursor("r1", 20, "bundle-1", fingerprint(REQUEST), "item 7", stored=True)


def test_a_cursor_comes_back_for_the_same_request() -> None:
    assert CODEC.decode(CODEC.encode(CURSOR), REQUEST) == CURSOR


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, query="oat"),
        replace(REQUEST, sort="price"),
        replace(REQUEST, user_id="v"),
        replace(REQUEST, without=frozenset({"spelling"})),
    ],
)
def test_a_cursor_of_another_request_is_refused(other: SearchRequest) -> None:
    with pytest.raises(InvalidCursorError, match="another query"):
        CODEC.decode(CODEC.encode(CURSOR), other)


def test_the_length_of_a_page_may_change_between_pages() -> None:
    assert CODEC.decode(CODEC.encode(CURSOR), replace(REQUEST, k=50)) == CURSOR


@given(st.text(max_size=200))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        CODEC.decode(text, REQUEST)


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    text = CODEC.encode(CURSOR)
    place = data.draw(st.integers(0, len(text) - 2))  # the last character holds bits that say nothing
    letter = data.draw(st.sampled_from("ABCxyz019-_"))
    if text[place] != letter:
        with pytest.raises(InvalidCursorError):
            CODEC.decode(text[:place] + letter + text[place + 1 :], REQUEST)


def test_a_cursor_of_another_key_is_refused() -> None:
    with pytest.raises(InvalidCursorError):
        CursorCodec(b"o" * 32).decode(CODEC.encode(CURSOR), REQUEST)


def test_an_order_is_read_alike_where_new_items_have_other_indexes() -> None:
    trained = Vocabulary(("", "a", "b", "c"))
    one, other = trained.extended(["x", "y"]), trained.extended(["y", "z", "x"])
    order = np.array([5, 2, 4, 1])  # y b x a
    stored = encode_order("bundle", order, len(trained), one)
    assert decode_order(stored, "bundle", other).tolist() == [4, 2, 6, 1]


def test_an_item_that_a_process_does_not_know_yet_leaves_a_gap() -> None:
    trained = Vocabulary(("", "a"))
    stored = encode_order("bundle", np.array([2, 1]), 2, trained.extended(["x"]))
    assert decode_order(stored, "bundle", trained).tolist() == [0, 1]


def test_an_order_of_another_bundle_has_expired() -> None:
    stored = encode_order("bundle", np.array([1]), 2, Vocabulary(("", "a")))
    with pytest.raises(CursorExpiredError, match="Search again"):
        decode_order(stored, "later", Vocabulary(("", "a")))
