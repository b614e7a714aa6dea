"""What passes filters, beside a plain evaluator that looks at one item at a time."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.catalog import Item
from recsys.dataset.catalog_rows import attributes_json
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import RequestError
from recsys.filters import Filters, NoneOf, NumberRange
from recsys.funnel.catalog import Catalog
from recsys.instants import to_micros
from recsys.models.bundle_update import ItemChange, update_bundle
from tests.fake_world import ITEMS, shop_bundle

PATHS = ("Home", "Home/Kitchen", "Home/Kitchen/Pots", "Home/Kitchenette", "Garden")
TIMES = tuple(datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))
VALUES = ("red", "green", 1.0, 2.5, 40.0)
UNKNOWN = "nothing has it"


def meets(item: Item, filters: Filters) -> bool:
    """Whether one item passes, one condition after the other; UNKNOWN attributes are not asked for here."""
    path = (item.category_path or "").split("/")
    conditions = [
        not filters.categories or item.category in filters.categories,
        not filters.brands or item.brand in filters.brands,
        not filters.category_paths
        or any(path[: len(wanted.split("/"))] == wanted.split("/") for wanted in filters.category_paths),
        filters.price_min_micros is None
        or (bool(item.price_micros) and item.price_micros >= filters.price_min_micros),
        filters.price_max_micros is None
        or (bool(item.price_micros) and item.price_micros <= filters.price_max_micros),
        filters.first_at_min is None or (item.first_at is not None and item.first_at >= filters.first_at_min),
        filters.first_at_max is None or (item.first_at is not None and item.first_at <= filters.first_at_max),
        not filters.item_ids or item.item_id in filters.item_ids,
        not filters.product_ids or (item.product_id or item.item_id) in filters.product_ids,
        *(has(item.attributes, name, condition) for name, condition in filters.attributes.items()),
        not filters.any_of or any(meets(item, each) for each in filters.any_of),
        not any(meets(item, each) for each in filters.none_of),
    ]
    return all(conditions)


def has(attributes: Mapping[str, Any], name: str, condition: Any) -> bool:
    found = attributes.get(name, ())
    found = found if isinstance(found, tuple) else (found,)
    if isinstance(condition, NumberRange):
        low = -np.inf if condition.least is None else condition.least
        high = np.inf if condition.most is None else condition.most
        return any(not isinstance(each, str) and low <= each <= high for each in found)
    if isinstance(condition, NoneOf):
        return not any(each in condition.values for each in found)
    return any(each in (condition if isinstance(condition, tuple) else (condition,)) for each in found)


def items_of_shop() -> list[Item]:
    """The corner shop's items as domain items, with what filters look at."""
    bundle = shop_bundle().items
    return [
        Item(
            item_id,
            title=bundle.titles[place],
            text=bundle.titles[place],
            category=bundle.categories[place],
            brand=bundle.brands[place],
            price_micros=None if place == 3 else int(bundle.price_micros[place]),
            attributes={"colour": ("red", "green"), "size": 40.0} if place % 2 else {"size": float(place)},
            product_id="fruit-basket" if place < 3 else None,
            category_path=PATHS[place % len(PATHS)] if place % 4 else None,
            first_at=TIMES[place % 3] if place % 2 else None,
        )
        for place, item_id in enumerate(ITEMS, start=1)
    ]


def table_of(items: list[Item]) -> ItemTable:
    return replace(
        shop_bundle().items,
        vocabulary=Vocabulary(("", *(item.item_id for item in items))),
        price_micros=np.array([-1, *(item.price_micros or 0 for item in items)], np.int64),
        attributes=("{}", *(attributes_json(item.attributes) for item in items)),
        products=("", *(item.product_id or "" for item in items)),
        category_paths=("", *(item.category_path or "" for item in items)),
        first_at=np.array([0, *(to_micros(item.first_at) if item.first_at else 0 for item in items)]),
    )


def some(values: Any, most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), max_size=most).map(tuple)


bounds = st.none() | st.sampled_from([0.0, 1.0, 2.5, 39.0, 41.0])
conditions = st.one_of(
    st.sampled_from(VALUES),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=3).map(tuple),
    st.builds(NumberRange, bounds, bounds),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=2).map(lambda values: NoneOf(tuple(values))),
)
prices = st.none() | st.sampled_from([0, 1_000_000, 2_000_000, 4_000_000])


def filters_with(inner: st.SearchStrategy[tuple[Filters, ...]]) -> st.SearchStrategy[Filters]:
    return st.builds(
        Filters,
        categories=some(["fruit", "dairy", "fish"]),
        brands=some(["Farm", "Valley"]),
        category_paths=some([*PATHS, "Home/Kit"]),
        price_min_micros=prices,
        price_max_micros=prices,
        first_at_min=st.none() | st.sampled_from(TIMES),
        first_at_max=st.none() | st.sampled_from(TIMES),
        item_ids=some(["apple", "milk", "pear"]),
        product_ids=some(["fruit-basket", "milk", "pear"]),
        attributes=st.dictionaries(st.sampled_from(["colour", "size"]), conditions, max_size=1),
        any_of=inner,
        none_of=inner,
    )


# Most drawn filters ask for one or two things, else nothing would ever pass.
simple = filters_with(st.just(())).flatmap(
    lambda drawn: st.sampled_from(sorted(vars(drawn))).map(lambda name: Filters(**{name: vars(drawn)[name]}))
)
pairs = st.builds(lambda one, other: one.also(other), simple, simple)
nested = filters_with(st.lists(simple, max_size=2).map(tuple))
any_filters = st.one_of(
    simple, pairs, nested, st.builds(Filters, any_of=st.lists(pairs, max_size=2).map(tuple))
)

changed = st.builds(
    Item,
    st.sampled_from(["apple", "milk", "pear", "plum"]),
    title=st.just("title"),
    text=st.just("text"),
    category=st.sampled_from(["fruit", "dairy"]),
    brand=st.sampled_from([None, "Farm"]),
    price_micros=prices,
    attributes=st.dictionaries(
        st.sampled_from(["colour", "size"]), st.sampled_from(["red", ("red", "blue"), 1.0, 40.0]), max_size=2
    ),
    product_id=st.sampled_from([None, "fruit-basket", "milk"]),
    category_path=st.none() | st.sampled_from([*PATHS, "Home/Bath"]),
    first_at=st.none() | st.sampled_from(TIMES),
)
steps = st.lists(st.lists(changed, min_size=1, max_size=3, unique_by=lambda item: item.item_id), max_size=3)


@settings(max_examples=300, deadline=None)
@given(any_filters, steps)
def test_the_catalog_passes_what_a_plain_look_at_each_item_does(
    filters: Filters, changes: list[list[Item]]
) -> None:
    items = {item.item_id: item for item in items_of_shop()}
    bundle = replace(shop_bundle(), items=table_of(list(items.values())))
    catalog = Catalog(bundle)
    for step in changes:
        assert_same(catalog, filters, items)
        bundle = update_bundle(bundle, [ItemChange(item) for item in step])
        index = bundle.items.vocabulary.indexes([item.item_id for item in step])
        catalog = catalog.with_items(bundle.items, index)
        items |= {item.item_id: item for item in step}
    assert_same(catalog, filters, items)


def assert_same(catalog: Catalog, filters: Filters, items: Mapping[str, Item]) -> None:
    known = {name for item in items.values() for name in item.attributes}
    if not names_in(filters) <= known:
        with pytest.raises(RequestError, match="no item has an attribute"):
            catalog.passing(filters)
        return
    found = {catalog.ids[place] for place in np.flatnonzero(catalog.passing(filters))}
    assert found == {item_id for item_id, item in items.items() if meets(item, filters)}


def names_in(filters: Filters) -> set[str]:
    inner = (name for each in (*filters.any_of, *filters.none_of) for name in names_in(each))
    return {*filters.attributes, *inner}


def test_a_path_holds_itself_and_what_lies_below_and_not_what_begins_alike() -> None:
    catalog = Catalog(replace(shop_bundle(), items=table_of(items_of_shop())))
    paths = np.array(catalog.items.category_paths, object)
    for wanted in ("Home/Kitchen", " Home / Kitchen/ "):
        found = set(paths[catalog.passing(Filters(category_paths=(wanted,)))])
        assert found == {"Home/Kitchen", "Home/Kitchen/Pots"}


def test_an_item_without_a_product_is_its_own() -> None:
    catalog = Catalog(replace(shop_bundle(), items=table_of(items_of_shop())))
    wanted = catalog.passing(Filters(product_ids=("fruit-basket", "milk")))
    assert list(catalog.ids[wanted]) == ["apple", "banana", "milk"]
    codes = catalog.products.codes
    assert codes[catalog.index("apple")] == codes[catalog.index("banana")] != codes[catalog.index("milk")]


def test_without_price_an_item_passes_no_bound_of_price_and_without_an_instant_none_of_time() -> None:
    items = items_of_shop()
    catalog = Catalog(replace(shop_bundle(), items=table_of(items)))
    priced = catalog.passing(Filters(price_min_micros=0))
    assert set(catalog.ids[1:]) - set(catalog.ids[priced]) == {"cherry"}
    dated = catalog.passing(Filters(first_at_min=datetime(1990, 1, 1, tzinfo=UTC)))
    assert set(catalog.ids[dated]) == {item.item_id for item in items if item.first_at}
