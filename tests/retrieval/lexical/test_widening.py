"""Similar words and words of the best titles change the order and fill up; what matches stays what it was."""

from pathlib import Path

import numpy as np
import pytest

from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.feedback import FEEDBACK, Feedback, feedback_groups
from recsys.retrieval.lexical.index import LexicalIndex, open_index
from recsys.retrieval.lexical.item_text import ItemText, item_text
from recsys.retrieval.lexical.query import Alternative, LexicalQuery
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.retrieval.lexical.similar_words import SIMILAR, SimilarWords

TITLES = ["chicken dinner", "chicken wings", "kitchen table", "dinner plate", "wooden shelf"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    folder = tmp_path_factory.mktemp("index") / "lexical"
    build_index([ItemText(row, title) for row, title in enumerate(TITLES, start=1)], folder)
    return open_index(folder)


def test_a_misspelt_word_finds_the_terms_that_share_its_trigrams(index: LexicalIndex) -> None:
    words = SimilarWords(index.title_words())
    # _ch chi hik ike ken en_ and _ch chi hic ick cke ken en_ share 4 of 6 and 7.
    assert words.of("chiken")[0] == ("chicken", pytest.approx(0.8 * 2 * 4 / 13))
    assert words.of("chiken") == words.of("chiken")
    assert "chicken" not in dict(words.of("chicken"))
    assert words.of("x2") == words.of("手机") == words.of("") == ()


def test_similar_words_rank_but_only_plain_words_have_them(index: LexicalIndex) -> None:
    words = SimilarWords(index.title_words())
    query = lexical_query('chiken "dinner" -wing')
    widened = words.widened(query)
    assert index.top(words.widened(lexical_query("chiken")), 1, 9)[0].tolist()[:2] == [1, 2]
    assert [group.strict or group.excluded for group in widened.groups] == [False, True, True]
    assert widened.groups[1:] == query.groups[1:]
    assert {each.source for each in widened.groups[0].alternatives[1:]} == {SIMILAR}
    assert index.matching(query, 1).tolist() == []


def test_words_that_the_best_titles_share_are_added_with_their_share(index: LexicalIndex) -> None:
    query = lexical_query("chicken")
    groups = feedback_groups(
        query, ["chicken dinner", "chicken dinner plate", "chicken wings"], np.ones(3, np.float32), index
    )
    # Two of the three titles have it.
    assert [group.alternatives for group in groups] == [
        (Alternative(("dinner",), pytest.approx(0.2 * 2 / 3), FEEDBACK),)
    ]
    assert index.top(LexicalQuery(query.groups + groups), 1, 9)[0].tolist() == [1, 2, 4]


def test_no_titles_say_nothing(index: LexicalIndex) -> None:
    assert feedback_groups(lexical_query("x"), [], np.zeros(0, np.float32), index) == ()
    assert feedback_groups(lexical_query("x"), ["a", "a"], np.zeros(2, np.float32), index, Feedback()) == ()


def test_identifiers_are_told_from_other_attributes_and_a_repeated_title_is_no_description() -> None:
    found = item_text(
        7,
        "SKU-7",
        "Red lamp",
        text="Red lamp for the desk",
        attributes='{"Model-Number": "AB 12", "colours": ["red", "dark red"], "lit": true, "watt": 40}',
    )
    assert found.description == " for the desk"
    assert found.identifiers == ("SKU-7", "AB 12")
    assert found.attributes == ("red", "dark red", "40")
    assert item_text(7, "a", "b", attributes="[1]").attributes == ()
    assert item_text(7, "a", "b", attributes="{broken").attributes == ()


def test_building_twice_gives_equal_answers(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_index([ItemText(row, title) for row, title in enumerate(TITLES, start=1)], tmp_path / name)
    one, two = open_index(tmp_path / "one"), open_index(tmp_path / "two")
    query = lexical_query("chicken dinner table")
    assert one.top(query, 1, 9)[1].tolist() == two.top(query, 1, 9)[1].tolist()
