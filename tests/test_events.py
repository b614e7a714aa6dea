import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.tokens.impression_token import MOST_CHARACTERS
from recsys.columns import ACTION_KINDS, KINDS
from recsys.errors import InvalidEventError
from recsys.event_fields import MOST_TOKEN_CHARACTERS
from recsys.events import EVENT_CLASSES, ItemUpsert, encode_event, parse_event

VIEW = {"kind": "view", "event_id": "e1", "user_id": "u1", "item_id": "i1", "at": "2026-01-31T12:00:00Z"}
UPSERT = {"kind": "item_upsert", "event_id": "e2", "item_id": "i1", "at": "2026-01-31T12:00:00+00:00"}


def test_every_kind_of_the_lake_has_a_class() -> None:
    assert set(KINDS) < set(EVENT_CLASSES)
    assert set(ACTION_KINDS) < set(KINDS)


def test_instants_become_utc() -> None:
    event = parse_event({**VIEW, "at": "2026-01-31T13:00:00+01:00"})
    assert event.at == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_an_upsert_keeps_apart_what_is_absent_and_what_is_said() -> None:
    event = parse_event({**UPSERT, "price_micros": 5, "attributes": {"size": 3, "tags": ["a", "b"]}})
    assert isinstance(event, ItemUpsert)
    assert event.title is None
    assert event.price_micros == 5
    assert event.attributes == {"size": 3.0, "tags": ("a", "b")}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**VIEW, "kind": "glance"}, "kind 'glance' is unknown. Use one of: search"),
        ({**VIEW, "colour": "red"}, "view has no field 'colour'"),
        ({**VIEW, "at": "yesterday"}, "at 'yesterday' is not an ISO 8601 instant"),
        ({**VIEW, "at": "2026-01-31T12:00:00"}, "has no time zone"),
        ({**VIEW, "item_id": " "}, "item_id must be a text that is not empty (got ' ')"),
        ({**VIEW, "position": 0}, "position must be a whole number from 1 to 2147483647 (got 0)"),
        ({**VIEW, "position": True}, "position must be a whole number"),
        ({name: value for name, value in VIEW.items() if name != "user_id"}, "view needs user_id"),
        ({**VIEW, "kind": "click", "token": 7}, "token must be a text of up to 4096 characters (got 7)"),
        ({**VIEW, "kind": "click", "token": "t" * 4097}, "token must be a text of up to 4096 characters"),
        ({**VIEW, "token": "t"}, "view has no field 'token'"),
        ({**UPSERT, "available": "yes"}, "available must be true or false (got 'yes')"),
        ({**UPSERT, "attributes": {"size": None}}, "attributes.size must be a text, a number or a list"),
        ({**UPSERT, "attributes": ["size"]}, "attributes must be an object"),
    ],
)
def test_bad_rows_are_refused_by_name_and_value(row: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        parse_event(row)
    assert words in str(caught.value)


@given(
    st.fixed_dictionaries(
        {name: st.just(value) for name, value in UPSERT.items()},
        optional={
            "title": st.text(min_size=1).filter(str.strip),
            "available": st.booleans(),
            "attributes": st.dictionaries(
                st.text(min_size=1), st.text() | st.floats(-1e9, 1e9) | st.lists(st.text())
            ),
        },
    )
)
def test_encoding_and_parsing_are_each_others_inverse(row: dict[str, Any]) -> None:
    event = parse_event(row)
    assert parse_event(encode_event(event)) == event


@pytest.mark.parametrize("kind", ["impression", "click", "cart", "purchase", "cancel"])
@pytest.mark.parametrize("token", ["WzEsInMiXQ.c2ln", "no token at all", "t" * 4096])
def test_an_event_keeps_the_text_that_came_as_its_token_whatever_it_is(kind: str, token: str) -> None:
    event = parse_event({**VIEW, "kind": kind, "token": token})
    assert event.token == token  # type: ignore[attr-defined]
    assert parse_event(encode_event(event)) == event


@pytest.mark.parametrize("token", [None, "", "  "])
def test_an_event_without_a_token_is_organic(token: str | None) -> None:
    event = parse_event({**VIEW, "kind": "click", "token": token})
    assert event.token is None  # type: ignore[attr-defined]


def test_a_token_has_room_for_every_token_that_the_shop_signs() -> None:
    assert MOST_TOKEN_CHARACTERS == MOST_CHARACTERS == 4096


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**VIEW, "user_id": "u" * 257}, "cannot be an id: it has more than 256 characters"),
        ({**VIEW, "at": "9999-12-31T23:59:59-05:00"}, "is not an instant of our calendar"),
        ({**UPSERT, "attributes": {"size": float("inf")}}, "attributes.size must be a text, a number"),
        ({**UPSERT, "attributes": {"size": 10**400}}, "attributes.size must be a text, a number"),
    ],
)
def test_what_cannot_be_kept_is_refused(row: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        parse_event(row)
    assert words in str(caught.value)


def test_a_message_repeats_the_beginning_of_a_huge_value_only() -> None:
    with pytest.raises(InvalidEventError) as caught:
        parse_event({**VIEW, "position": "9" * 100_000})
    assert len(str(caught.value)) < 300


def test_vectors_of_an_upsert_are_lists_of_finite_numbers_by_a_plain_name() -> None:
    row = {"kind": "item_upsert", "event_id": "e", "item_id": "i", "at": "2026-01-01T00:00:00Z"}
    event = parse_event(row | {"vectors": {"image": [1, 0.5]}})
    assert event.vectors == {"image": (1.0, 0.5)}
    assert parse_event(encode_event(event)) == event
    for wrong in (
        {"image": [float("nan")]},
        {"image": ["1"]},
        {"two words": [1]},
        [1],
        {"image": [0.0] * 5000},
    ):
        with pytest.raises(InvalidEventError, match="vectors"):
            parse_event(row | {"vectors": wrong})


def test_an_upsert_says_product_path_and_first_instant() -> None:
    said = {
        "product_id": " p1 ",
        "category_path": " Home / Kitchen//Pots/",
        "first_at": "2026-01-01T01:00:00+01:00",
    }
    event = parse_event({**UPSERT, **said})
    assert isinstance(event, ItemUpsert)
    assert (event.product_id, event.category_path) == ("p1", "Home/Kitchen/Pots")
    assert event.first_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_event(json.loads(json.dumps(encode_event(event)))) == event
    for wrong, words in (
        ({"category_path": " / "}, "category_path ' / ' has no level. Write for example Home/Kitchen"),
        ({"category_path": ["Home"]}, "category_path must be a text that is not empty (got ['Home'])"),
        ({"first_at": "2026-01-01"}, "2026, 1, 1, 0, 0) has no time zone"),
        ({"product_id": "a\x00b"}, "product_id 'a\\x00b' cannot be an id"),
    ):
        with pytest.raises(InvalidEventError) as caught:
            parse_event({**UPSERT, **wrong})
        assert words in str(caught.value)


BOUGHT = {**VIEW, "kind": "purchase"}


@pytest.mark.parametrize(("quantity", "kept"), [(3, 3), (3.0, 3), (0.25, 0.25), (0.1 + 0.2, 0.3)])
def test_a_quantity_is_a_number_of_up_to_three_decimals(quantity: float, kept: float) -> None:
    event = parse_event({**BOUGHT, "quantity": quantity})
    assert encode_event(event)["quantity"] == kept


@pytest.mark.parametrize("quantity", [0, -1, 0.0004, True, "2", 10**400, float("nan"), 3e12])
def test_what_is_no_quantity_is_refused(quantity: Any) -> None:
    with pytest.raises(InvalidEventError, match=r"quantity must be a number from 0\.001 to 2251799813685"):
        parse_event({**BOUGHT, "quantity": quantity})


@pytest.mark.parametrize("name", ["value_micros", "price_micros"])
def test_money_has_one_bound(name: str) -> None:
    row = BOUGHT if name == "value_micros" else UPSERT
    assert vars(parse_event({**row, name: 2**51}))[name] == 2**51
    with pytest.raises(InvalidEventError, match=f"{name} must be a whole number from 0 to 2251799813685248"):
        parse_event({**row, name: 2**51 + 1})


def test_a_cancellation_may_say_a_quantity_an_amount_or_neither() -> None:
    back = {**VIEW, "kind": "cancel"}
    assert "quantity" not in encode_event(parse_event(back))
    said = encode_event(parse_event({**back, "quantity": -0.5, "value_micros": -5}))
    assert (said["quantity"], said["value_micros"]) == (0.5, 5)


def test_ids_lose_the_blanks_around_them() -> None:
    event = parse_event({**BOUGHT, "user_id": " u1 ", "session_id": " ", "event_id": "e1\t"})
    assert (event.event_id, vars(event)["user_id"], vars(event)["session_id"]) == ("e1", "u1", None)


@pytest.mark.parametrize("text", ["a\x00", "a\nb", "a\x7fb"])
def test_ids_have_no_control_characters(text: str) -> None:
    with pytest.raises(InvalidEventError, match=r"item_id .* has a control character in it"):
        parse_event({**VIEW, "item_id": text})
