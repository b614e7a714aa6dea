"""Totals, facets, orders and pages of any search beside plain loops over the items."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.filters import Filters, NumberRange
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.index import open_index
from recsys.retrieval.lexical.item_text import item_texts
from recsys.search.answer import SearchAnswer
from recsys.search.requests import SORTS, FacetRequest, SearchRequest
from recsys.search.searcher import Searcher
from tests.search.small_shop import NOW, THRESHOLD, FakePages, FakeVectors, Row, item_table, make_searcher

WORDS = ("red", "blue", "door", "gate", "oak")
DIRECTIONS = ((1.0, 0, 0, 0), (0.9, 0.4, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0))
VECTORS = FakeVectors({word: DIRECTIONS[place % 4] for place, word in enumerate(WORDS)})
FACETS = tuple(
    FacetRequest(name) for name in ("category", "brand", "category_path", "attributes.colour", "price")
)

rows = st.builds(
    Row,
    title=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
    category=st.sampled_from(("", "doors", "gates")),
    brand=st.sampled_from(("", "elm", "oak")),
    path=st.sampled_from(("", "Home", "Home/Doors", "Home/Doors/Red", "Garden")),
    product=st.sampled_from(("", "", "p", "q")),
    price_micros=st.sampled_from((-1, 10, 20, 30)),
    first_at=st.sampled_from((0, 5, 9)),
    available=st.sampled_from((True, True, False)),
    attributes=st.sampled_from(
        ("{}", '{"colour": "red"}', '{"colour": ["red", "blue"]}', '{"colour": "blue"}')
    ),
    popularity=st.sampled_from((0.0, 1.0, 2.0)),
    vector=st.sampled_from(((), *DIRECTIONS)),
)
# Every value that a facet may name is there once, or a filter on it would be an error.
SHOP_WITH_COLOURS = Row("oak", attributes='{"colour": ["red", "blue"]}')
shops = st.lists(rows, min_size=1, max_size=12).map(lambda found: [*found, SHOP_WITH_COLOURS])
filters = st.builds(
    Filters,
    categories=st.sampled_from(((), ("doors",), ("doors", "gates"))),
    brands=st.sampled_from(((), ("oak",))),
    category_paths=st.sampled_from(((), ("Home",), ("Home/Doors", "Garden"))),
    price_max_micros=st.sampled_from((None, 20)),
    attributes=st.sampled_from(({}, {"colour": "red"}, {"colour": ("red", "blue")})),
    include_unavailable=st.booleans(),
)
queries = st.lists(st.sampled_from((*WORDS, "-red", '"red door"', "unknown")), max_size=4).map(" ".join)


class Oracle:
    """The definitions of the matched set and its facets as plain loops."""

    def __init__(self, shop: Sequence[Row], query: str, wanted: Filters) -> None:
        self._shop = shop
        self._filters = wanted
        parts = query.split('"')
        words = [word for part in parts[::2] for word in part.split()]
        self._phrases = [part.split() for part in parts[1::2] if part.split()]
        self._excluded = [word[1:] for word in words if word.startswith("-")]
        self._words = list(dict.fromkeys(word for word in words if not word.startswith("-")))
        asked = " ".join(word for word in query.replace('"', " ").split() if not word.startswith("-"))
        self._vector = np.array(VECTORS.known.get(asked, (0.0,) * 4))
        count = len(self._words)
        self.least = count if count <= 2 else (count + 1) // 2
        while self.least > 0 and not self.items(wanted):
            self.least -= 1

    def items(self, wanted: Filters) -> list[int]:
        """Places of the items that match and pass."""
        return [
            place
            for place, row in enumerate(self._shop)
            if self._matches(row) and passes(row, wanted) and (row.available or wanted.include_unavailable)
        ]

    def _fields(self, row: Row) -> list[list[str]]:
        """The words of each field that words are looked for in."""
        return [row.title.split()]

    def _matches(self, row: Row) -> bool:
        fields = self._fields(row)
        words = {word for field in fields for word in field}
        if words & set(self._excluded):
            return False
        if not all(any(follows(field, phrase) for field in fields) for phrase in self._phrases):
            return False
        if not self._words:
            return True
        near = False
        if row.vector:
            unit = np.array(row.vector) / np.linalg.norm(row.vector)
            query = self._vector / max(float(np.linalg.norm(self._vector)), 1.0)
            near = bool(np.float32(unit.astype(np.float32) @ query.astype(np.float32)) >= THRESHOLD)
        matched = sum(word in words for word in self._words)
        return near or (self.least > 0 and matched >= self.least)

    def total(self) -> int:
        return len({self._product(place) for place in self.items(self._filters)})

    def facet(self, name: str) -> Mapping[str, int]:
        """Value -> products, without the filter on the facet's own field."""
        field = {"category": "categories", "brand": "brands", "category_path": "category_paths"}
        found: dict[str, set[str]] = {}
        for place in self.items(self._filters.without(field.get(name, name))):
            for value in values(self._shop[place], name):
                found.setdefault(value, set()).add(self._product(place))
        return {value: len(products) for value, products in found.items()}

    def _product(self, place: int) -> str:
        return self._shop[place].product or f"item {place}"


class AllFields(Oracle):
    """Words are looked for in every field that the index of words has."""

    def _fields(self, row: Row) -> list[list[str]]:
        categories = [row.category.removesuffix("s")]  # by its stem
        colours = [[colour] for colour in values(row, "attributes.colour")]
        return [row.title.split(), categories, [row.brand], *colours]


def follows(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the phrase stands in the words as it is."""
    return any(list(words[at : at + len(phrase)]) == list(phrase) for at in range(len(words)))


def passes(row: Row, wanted: Filters) -> bool:
    colours = values(row, "attributes.colour")
    colour = wanted.attributes.get("colour")
    assert not isinstance(colour, NumberRange)
    asked = (colour,) if isinstance(colour, str) else colour
    levels = values(row, "category_path")
    return (
        (not wanted.categories or row.category in wanted.categories)
        and (not wanted.brands or row.brand in wanted.brands)
        and (not wanted.category_paths or any(path in levels for path in wanted.category_paths))
        and (wanted.price_max_micros is None or 0 < row.price_micros <= wanted.price_max_micros)
        and (asked is None or any(value in colours for value in asked))  # type: ignore[union-attr]
    )


def values(row: Row, name: str) -> list[str]:
    if name == "category_path":
        levels = row.path.split("/") if row.path else []
        return ["/".join(levels[: depth + 1]) for depth in range(len(levels))]
    if name == "attributes.colour":
        found = json.loads(row.attributes).get("colour", [])
        return found if isinstance(found, list) else [found]
    value = row.category if name == "category" else row.brand
    return [value] if value else []


def all_pages(searcher: Searcher, request: SearchRequest) -> list[SearchAnswer]:
    pages = [searcher.search(request, NOW)]
    while pages[-1].cursor is not None:
        number = len(pages)
        pages.append(searcher.search(replace(request, cursor=pages[-1].cursor, request_id=f"r{number}"), NOW))
    return pages


@given(shops, queries, filters, st.sampled_from(SORTS), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_search_equals_the_definition(
    shop: list[Row], query: str, wanted: Filters, sort: str, k: int
) -> None:
    searcher = make_searcher(shop, vectors=VECTORS, pages=FakePages())
    assert_equal(searcher, Oracle(shop, query, wanted), query, wanted, sort, k)


@given(shops, queries, filters, st.sampled_from(SORTS), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_a_search_by_the_real_index_of_words_equals_the_definition(
    shop: list[Row], query: str, wanted: Filters, sort: str, k: int
) -> None:
    with TemporaryDirectory() as folder:
        build_index(item_texts(item_table(shop)), Path(folder) / "lexical")
        words = open_index(Path(folder) / "lexical")
        searcher = make_searcher(shop, words=words, vectors=VECTORS, pages=FakePages())
        assert_equal(searcher, AllFields(shop, query, wanted), query, wanted, sort, k)


def assert_equal(searcher: Searcher, oracle: Oracle, query: str, wanted: Filters, sort: str, k: int) -> None:
    """Totals, facets, order and pages of the search are those of the definition."""
    pages = all_pages(searcher, SearchRequest("r", query, filters=wanted, facets=FACETS, sort=sort, k=k))
    shown = [item for page in pages for item in page.items]

    assert {page.total for page in pages} == {oracle.total()}
    assert len(shown) == oracle.total()
    assert len({item.product_id or item.item_id for item in shown}) == len(shown)
    assert {int(item.item_id[1:]) - 1 for item in shown} <= set(oracle.items(wanted))
    assert [item.position for item in shown] == list(range(1, len(shown) + 1))
    for facet in pages[0].facets[:-1]:
        assert {value.value: value.count for value in facet.values if value.count} == oracle.facet(facet.name)
    prices = pages[0].facets[-1]
    assert sum(each.count for each in prices.ranges) >= min(1, len(prices.ranges))
    if sort in ("price", "-price"):
        known = [item.price_micros for item in shown if item.price_micros]
        assert known == sorted(known, reverse=sort == "-price")
        assert [item.price_micros for item in shown][: len(known)] == known
