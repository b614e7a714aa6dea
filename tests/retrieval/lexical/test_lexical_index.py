"""The lexical index finds exactly what a plain reading of every item finds."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.analysis.posting_terms import postings_of_phrase
from recsys.errors import ArtifactMismatchError
from recsys.retrieval.lexical.build import WRITTEN_BY, build_index
from recsys.retrieval.lexical.index import LexicalIndex, open_index
from recsys.retrieval.lexical.item_text import ItemText, item_text
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.retrieval.lexical.schema import plain_identifier
from recsys.retrieval.lexical.scoring import Scoring

ANALYZER = Analyzer()
TITLES = (
    "Solid wood dining table",
    "Table of solid oak, wood legs",
    "iPhone15手机壳 简约 安装简单",
    "Sony WH-1000XM4 headphones",
    "Area rug 8 x 10 ft. blue",
    "Cable 3 meters USB",
    "红色连衣裙 dress",
    "手機殼 透明 500毫升",
)
ITEMS = tuple(
    item_text(
        index,
        f"SKU-{index:03d}",
        title,
        text="made in Italy" if index == 1 else "",
        category="Furniture" if index < 3 else "Other things",
        brand="Acme Corp",
        attributes=json.dumps({"colour": ["light", "blue"], "gtin": f"400638133393{index}"}),
    )
    for index, title in enumerate(TITLES, start=1)
)


def build(folder: Path, items: Sequence[ItemText]) -> LexicalIndex:
    build_index(items, folder)
    return open_index(folder)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    return build(tmp_path_factory.mktemp("index") / "lexical", ITEMS)


def found(index: LexicalIndex, text: str, least: int | None = None) -> list[int]:
    query = lexical_query(text)
    return index.matching(query, query.least if least is None else least).tolist()


def test_words_are_found_by_their_stems_in_every_field(index: LexicalIndex) -> None:
    assert found(index, "tables") == [1, 2]
    assert found(index, "italy") == [1]
    assert found(index, "furniture") == [1, 2]
    assert found(index, "acme") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found(index, "nothing") == []


def test_a_phrase_is_its_words_one_behind_another_in_one_field(index: LexicalIndex) -> None:
    assert found(index, '"solid wood"') == [1]
    assert found(index, '"light blue"') == []  # two values of an attribute
    assert found(index, '"wood made"') == []


def test_chinese_is_found_by_word_pair_character_and_phrase(index: LexicalIndex) -> None:
    assert found(index, "简单") == [3]
    assert found(index, "壳") == [3, 8]
    assert found(index, "手機殼") == [3, 8]
    assert found(index, "「安装简单」") == [3]
    assert found(index, "「简单安装」") == []
    assert found(index, "连衣裙") == [7]
    assert found(index, "衣裙") == [7]
    assert found(index, "手机 -透明") == [3]
    assert found(index, '"裙 dress"') == [7]


def test_numbers_with_units_are_found_however_they_are_written(index: LexicalIndex) -> None:
    assert found(index, "3m") == found(index, "300 cm") == [6]
    assert found(index, "8' x 10'") == [5]
    assert found(index, "500ml") == [8]


def test_identifiers_are_found_whole_without_hyphens_and_by_their_beginning(index: LexicalIndex) -> None:
    assert found(index, "sku-003") == found(index, "SKU003") == [3]
    assert found(index, "4006381333935") == [5]
    assert found(index, "wh1000xm4") == found(index, "WH-1000XM4") == [4]
    beginning = WordGroup("400638", (Alternative(("400638",)),), prefix=True)
    assert index.matching(LexicalQuery((beginning,)), 1).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_excluded_word_takes_away_and_no_word_at_all_finds_everything(index: LexicalIndex) -> None:
    assert found(index, "table -dining") == [2]
    assert found(index, "-table") == [3, 4, 5, 6, 7, 8]
    assert found(index, "") == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_query_is_never_read_as_a_language(index: LexicalIndex) -> None:
    as_words = {
        "title:table": [1, 2],
        "index:5": [],
        "price:[1 TO 3]": [6],
        "ta*": [],
        "table~2": [1, 2],
        "*": [],
    }
    for text, expected in as_words.items():
        words = LexicalQuery(lexical_query(text).words)
        assert (index.matching(words, 1).tolist() if words.groups else []) == expected, text
    strange = WordGroup(
        "", (Alternative(("\ud800",)), Alternative(("a b",)), Alternative(("",)), Alternative(()))
    )
    assert index.matching(LexicalQuery((strange,)), 1).tolist() == []


def test_an_identical_shorter_title_comes_first_and_ties_go_by_the_index(tmp_path: Path) -> None:
    index = build(
        tmp_path / "index",
        [ItemText(1, "red lamp with a very long name"), ItemText(2, "red lamp"), ItemText(3, "red lamp")],
    )
    assert index.top(lexical_query("red lamp"), 2, 3)[0].tolist() == [2, 3, 1]
    assert index.top(lexical_query("red lamp"), 2, 1)[0].tolist() == [2]


def test_the_score_is_the_sum_of_rarities_with_the_best_field(tmp_path: Path) -> None:
    index = build(
        tmp_path / "index", [ItemText(1, "red lamp", brand="red"), ItemText(2, "blue lamp", brand="red")]
    )
    scoring = Scoring()
    _, scores = index.top(lexical_query("red"), 1, 2)
    # Both titles have the mean length, so the factor is (k1 + 1) / (1 + k1) = 1; the second has it as brand.
    assert scores.tolist() == pytest.approx(
        [scoring.rarity(2, 2), scoring.boosts["brand"] * scoring.rarity(2, 2)]
    )


def test_a_substitute_never_counts_more_than_the_word_itself(tmp_path: Path) -> None:
    titles = ["sofa", "sofa", "sofa", "couch"]
    index = build(tmp_path / "index", [ItemText(row, title) for row, title in enumerate(titles, start=1)])
    group = WordGroup("sofa", (Alternative(("sofa",)), Alternative(("couch",), 0.9, "synonym")))
    order, scores = index.top(LexicalQuery((group,)), 1, 4)
    assert order.tolist() == [1, 2, 3, 4]
    assert scores[3] == pytest.approx(0.9 * scores[0])


def test_prefixes_and_frequencies(index: LexicalIndex) -> None:
    assert index.terms_with_prefix("so", 5) == [("solid", 2), ("soni", 1)]
    assert index.document_frequency("tabl") == 2
    assert index.document_frequency("安装简单") == 1
    group = WordGroup("din", (Alternative(("din",)),), prefix=True)
    assert index.matching(LexicalQuery((group,)), 1).tolist() == [1]
    phrase = WordGroup("wood di", (Alternative(("wood", "di")),), prefix=True)
    assert index.matching(LexicalQuery((phrase,)), 1).tolist() == [1]


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    index = build(tmp_path / "index", [])
    assert len(index) == 0
    assert index.top(lexical_query("red"), 1, 5)[0].tolist() == []
    assert index.matching(lexical_query(""), 0).tolist() == []


@pytest.mark.parametrize(("name", "value"), [("tantivy", "tantivy v0.1"), ("analyzer", "0"), ("format", 0)])
def test_an_index_of_another_version_is_said_before_it_is_loaded(
    tmp_path: Path, name: str, value: object
) -> None:
    build_index(ITEMS, tmp_path / "index")
    file = tmp_path / "index" / WRITTEN_BY
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    for segment in (tmp_path / "index").glob("*.idx"):
        segment.write_bytes(b"not looked at")
    with pytest.raises(ArtifactMismatchError, match=f"written with {name} .*built anew"):
        open_index(tmp_path / "index")


def test_a_folder_without_an_index_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactMismatchError, match="holds no lexical index"):
        open_index(tmp_path)
    build_index(ITEMS, tmp_path / "index")
    (tmp_path / "index" / "meta.json").write_text("{")
    with pytest.raises(ArtifactMismatchError, match="damaged"):
        open_index(tmp_path / "index")


def test_a_built_folder_holds_no_hidden_files_and_is_never_built_over(tmp_path: Path) -> None:
    build_index(ITEMS, tmp_path / "index")
    assert [file.name for file in (tmp_path / "index").iterdir() if file.name.startswith(".")] == []
    with pytest.raises(FileExistsError):
        build_index(ITEMS, tmp_path / "index")


WORDS = ["red", "lamp", "solid", "3 m", "手机壳", "安装", "简单", "x1-20", "8 x 10 ft", "裙", "t-shirt", "a"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
QUERIES = st.lists(
    st.tuples(st.sampled_from(["", "-", '"', '-"']), st.sampled_from([*WORDS, "简单红", "red lamp", "手"])),
    max_size=4,
).map(lambda parts: " ".join(f'{sign}{word}"' if '"' in sign else f"{sign}{word}" for sign, word in parts))


def has(item: ItemText, terms: tuple[str, ...]) -> bool:
    """Whether a field of the item has the terms, one behind another: read word by word."""
    for text in (item.title, item.description, item.category, item.brand, *item.attributes):
        held = {(token.term, token.position) for token in ANALYZER.tokens(text)}
        places = postings_of_phrase(terms)
        if any(all((term, start + offset) in held for offset, term in places) for _, start in held):
            return True
    return "".join(terms) in {plain_identifier(each) for each in item.identifiers}


def matches(item: ItemText, query: LexicalQuery, least: int) -> bool:
    def group_matches(group: WordGroup) -> bool:
        return any(has(item, alternative.terms) for alternative in group.alternatives)

    return (
        sum(map(group_matches, query.words)) >= least
        and all(group_matches(group) for group in query.groups if group.strict)
        and not any(group_matches(group) for group in query.groups if group.excluded)
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=6), st.lists(QUERIES, max_size=4), st.integers(0, 3))
def test_the_matched_set_is_what_reading_every_item_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], texts: list[str], least: int
) -> None:
    items = [
        ItemText(index, title, description=text, attributes=(value,), identifiers=(f"id-{index}",))
        for index, (title, text, value) in enumerate(rows, start=1)
    ]
    index = build(tmp_path_factory.mktemp("any") / "index", items)
    for text in texts:
        query = lexical_query(text)
        expected = [item.index for item in items if matches(item, query, least)]
        assert index.matching(query, least).tolist() == expected, text
        everything = np.arange(1, len(items) + 1)
        matched = index.matched_groups(query, everything)
        for row, group in enumerate(query.groups):
            alone = [any(has(item, each.terms) for each in group.alternatives) for item in items]
            assert matched[row].tolist() == alone
        top, scores = index.top(query, least, 100)
        assert sorted(top.tolist()) == expected
        assert scores.tolist() == index.scores(query, top).tolist()
        assert scores.tolist() == sorted(scores.tolist(), reverse=True)
