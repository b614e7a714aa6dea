"""Which reject rules of a mapping live events can be judged by, and what those reject."""

from typing import Any

import pyarrow as pa
import pytest

from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.ingest.mapping.files import parse_mapping
from recsys.ingest.tables.live_rejects import LiveRejects, live_rejects

HEAD = """
name = "shop"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "orders.csv"
user = "customer"
item = "sku"
time = "at"
kind = "purchase"
quantity = "qty"
value = { column = "price", per = "unit" }
"""


def rules(reject: str, head: str = HEAD) -> LiveRejects:
    return live_rejects(parse_mapping(f"{head}\n[[events.reject]]\n{reject}", "shop.toml").events)


def places(found: LiveRejects, **event: Any) -> list[int]:
    row = {"event_id": "e", "kind": "purchase", "user_id": "ann", "item_id": "tea", "at": 0, "sequence": 0}
    return found.places(pa.Table.from_pylist([{**row, "weight": 1.0, **event}], EVENT_SCHEMA)).tolist()


def test_a_rule_holds_for_the_kinds_of_its_files() -> None:
    found = rules('reason = "staff"\nwhen = [{ column = "customer", in = ["till"] }]')
    assert found.reasons == ("staff",)
    assert places(found, user_id="till") == [1]
    assert places(found, user_id="till", kind="view") == [0]
    assert places(found) == [0]


def test_all_conditions_of_a_rule_must_hold() -> None:
    when = '[{ column = "customer", in = ["till"] }, { column = "qty", at_least = 2.5 }]'
    found = rules(f'reason = "staff"\nwhen = {when}')
    assert places(found, user_id="till", quantity_thousandths=2500) == [1]
    assert places(found, user_id="till", quantity_thousandths=2499) == [0]
    assert places(found, user_id="till") == [0]  # a missing cell passes only `missing`


@pytest.mark.parametrize(
    "when",
    [
        '{ column = "status", in = ["void"] }',  # nothing that an event says
        '{ column = "price", above = 1000 }',  # a price a piece; an event has the line's
        '{ column = "customer", in = ["till"] }, { column = "status", in = ["void"] }',
    ],
)
def test_rules_about_columns_that_events_lack_are_for_files_only(when: str) -> None:
    assert rules(f'reason = "void"\nwhen = [{when}]') == LiveRejects()


def test_a_kinds_own_value_stands_for_it_only_where_there_is_one() -> None:
    looked_up = 'kind = { column = "what", values = { buy = "purchase", look = "view" } }'
    reject = 'reason = "void"\nwhen = [{ column = "what", in = ["look"] }]'
    found = rules(reject, HEAD.replace('kind = "purchase"', looked_up))
    assert (places(found, kind="view"), places(found)) == ([1], [0])
    twice = 'kind = { column = "what", values = { buy = "purchase", get = "purchase", look = "view" } }'
    assert rules(reject, HEAD.replace('kind = "purchase"', twice)) == LiveRejects()
