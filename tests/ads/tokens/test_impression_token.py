"""Tokens of sponsored impressions: read back as they were, refused where they are not ours."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.tokens.impression_token import MOST_CHARACTERS, ImpressionTokens, SponsoredImpression
from recsys.ads.tokens.keys import TokenKeys
from recsys.ads.tokens.page_token import PageTokens
from recsys.amounts import MOST_MICROS
from recsys.errors import ConfigError, DataError, InvalidTokenError, TokenExpiredError

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
TOKENS = ImpressionTokens(TokenKeys("k1", {"k1": OLD}), "shop-1")
IMPRESSION = SponsoredImpression(
    slot_id="s-1",
    ad="p9",
    account="acc_1",
    campaign="cmp_1",
    line="lin_1",
    slot=2,
    price_micros=310_000,
    pricing=PricingCode.CPC,
    p=0.0175,
    served_at=AT,
    surface="search",
    request_id="r-1",
    unit="user:u7",
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
impressions = st.builds(
    SponsoredImpression,
    slot_id=names,
    ad=names,
    account=names,
    campaign=names,
    line=names,
    slot=st.integers(1, 1000),
    price_micros=st.integers(0, MOST_MICROS),
    pricing=st.sampled_from(PricingCode),
    p=st.floats(0, 1),
    served_at=st.datetimes(timezones=st.just(UTC), min_value=AT.replace(tzinfo=None)),
    surface=names,
    request_id=names,
    unit=names,
)


@given(impressions)
def test_an_impression_comes_back_as_it_was(impression: SponsoredImpression) -> None:
    read = TOKENS.decode(TOKENS.encode(impression), impression.served_at, 1800)
    assert read == impression
    assert isinstance(read.pricing, PricingCode)


def test_a_token_is_compact_and_safe_in_a_url() -> None:
    token = TOKENS.encode(IMPRESSION)
    assert len(token) < 250
    assert token.startswith("k1.")
    assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()


@given(st.integers(0, 200), st.sampled_from("Ab9_-.="))
def test_a_changed_token_is_refused(place: int, letter: str) -> None:
    token = TOKENS.encode(IMPRESSION)
    place = place % len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(InvalidTokenError, match="not one that this shop gave, or was changed"):
            TOKENS.decode(changed, AT, 1800)


@pytest.mark.parametrize("text", ["", ".", "k1", "k1.", "k2.AAAA", "é" * 50, "k1." + "A" * 100_000])
def test_what_is_no_token_is_refused_by_its_first_characters(text: str) -> None:
    with pytest.raises(InvalidTokenError) as raised:
        TOKENS.decode(text, AT, 1800)
    assert len(str(raised.value)) < 200


def test_a_token_counts_to_the_last_microsecond_and_no_longer() -> None:
    token, last = TOKENS.encode(IMPRESSION), AT + timedelta(seconds=1800)
    assert TOKENS.decode(token, last, 1800) == IMPRESSION
    with pytest.raises(TokenExpiredError, match="1800 seconds old, and counts for 1800"):
        TOKENS.decode(token, last + timedelta(microseconds=1), 1800)


def test_a_token_of_a_time_to_come_is_refused() -> None:
    token = TOKENS.encode(IMPRESSION)
    assert TOKENS.decode(token, AT - timedelta(minutes=10), 1800) == IMPRESSION
    with pytest.raises(InvalidTokenError, match="Set the clocks right"):
        TOKENS.decode(token, AT - timedelta(minutes=11), 1800)


def test_a_token_of_another_shop_is_refused_by_name_even_where_the_secret_is_the_same() -> None:
    other = ImpressionTokens(TokenKeys("k1", {"k1": OLD}), "shop-2")
    with pytest.raises(InvalidTokenError, match="it is of shop 'shop-1', and this is 'shop-2'"):
        other.decode(TOKENS.encode(IMPRESSION), AT, 1800)


def test_a_new_secret_takes_over_and_the_old_one_counts_until_it_is_removed() -> None:
    token = TOKENS.encode(IMPRESSION)
    both = ImpressionTokens(TokenKeys("k2", {"k1": OLD, "k2": NEW}), "shop-1")
    assert both.decode(token, AT, 1800) == IMPRESSION
    assert both.encode(IMPRESSION).startswith("k2.")
    after = ImpressionTokens(TokenKeys("k2", {"k2": NEW}), "shop-1")
    assert after.decode(both.encode(IMPRESSION), AT, 1800) == IMPRESSION
    with pytest.raises(InvalidTokenError):
        after.decode(token, AT, 1800)


def test_an_old_secret_under_a_new_name_is_not_believed() -> None:
    token = TOKENS.encode(IMPRESSION)
    with pytest.raises(InvalidTokenError):
        ImpressionTokens(TokenKeys("k2", {"k2": NEW}), "shop-1").decode("k2" + token[2:], AT, 1800)


def test_the_token_of_a_page_is_none_of_an_impression() -> None:
    keys = TokenKeys("k1", {"k1": OLD})
    with pytest.raises(InvalidTokenError):
        PageTokens(keys, "shop-1").decode(TOKENS.encode(IMPRESSION), AT, 1800)


def test_impressions_out_of_range_are_refused() -> None:
    for changed, message in (
        ({"slot": 0}, "slot 0"),
        ({"price_micros": -1}, "price_micros -1"),
        ({"p": float("nan")}, "p nan"),
        ({"served_at": AT.replace(tzinfo=None)}, "no time zone"),
    ):
        with pytest.raises(DataError, match=message):
            replace(IMPRESSION, **changed)
    with pytest.raises(DataError, match=f"more than {MOST_CHARACTERS}"):
        TOKENS.encode(replace(IMPRESSION, unit="u" * 4000))


def test_the_longest_ids_still_fit() -> None:
    long = "商" * 256
    token = TOKENS.encode(replace(IMPRESSION, ad=long, unit=long, request_id="r" * 64))
    assert TOKENS.decode(token, AT, 1800).unit == long


def test_secrets_are_checked_and_never_printed() -> None:
    with pytest.raises(ConfigError, match="no secret 'k2' among"):
        TokenKeys("k2", {"k1": OLD})
    with pytest.raises(ConfigError, match=r"key id 'k\.1'"):
        TokenKeys("k.1", {"k.1": OLD})
    with pytest.raises(ConfigError, match="'k1' has 5 bytes"):
        TokenKeys("k1", {"k1": b"short"})
    assert "ooo" not in repr(TokenKeys("k1", {"k1": OLD}))
