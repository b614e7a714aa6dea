"""Tokens of pages: the memory of a visit comes back, in bounded size."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.blending.memory import MOST_ORGANIC, MOST_SPONSORED, PageMemory
from recsys.ads.tokens.keys import TokenKeys
from recsys.ads.tokens.page_token import MOST_CHARACTERS, PageTokens
from recsys.errors import InvalidTokenError, TokenExpiredError

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = TokenKeys("k1", {"k1": b"o" * 32})
TOKENS = PageTokens(KEYS, "shop-1")
shown = st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.booleans()), max_size=30)


@given(shown, shown)
def test_a_memory_comes_back_as_it_was(first: list[tuple[str, bool]], second: list[tuple[str, bool]]) -> None:
    memory = PageMemory().after(first).after(second)
    assert TOKENS.decode(TOKENS.encode(memory, AT), AT, 3600) == memory


def test_the_longest_visit_has_a_short_token() -> None:
    memory = PageMemory().after((f"product {place}", place % 4 == 0) for place in range(10_000))
    assert (len(memory.organic), len(memory.sponsored)) == (MOST_ORGANIC, MOST_SPONSORED)
    token = PageTokens(TokenKeys("k" * 16, {"k" * 16: b"o" * 32}), "s" * 64).encode(memory, AT)
    assert len(token) <= MOST_CHARACTERS


def test_a_token_that_is_changed_old_or_of_another_shop_is_refused() -> None:
    token = TOKENS.encode(PageMemory().after([("tea", True)]), AT)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for text in (changed, "", token + "A", "A" * 5000):
        with pytest.raises(InvalidTokenError, match="or leave it out for a first page"):
            TOKENS.decode(text, AT, 3600)
    with pytest.raises(TokenExpiredError, match="3601 seconds old"):
        TOKENS.decode(token, AT + timedelta(seconds=3601), 3600)
    with pytest.raises(InvalidTokenError, match="of shop 'shop-1', and this is 'shop-2'"):
        PageTokens(KEYS, "shop-2").decode(token, AT, 3600)
