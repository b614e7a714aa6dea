"""The words that matched are marked where they stand in the original text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.search.highlight import FieldMatch, Highlighter, marked

ANALYZER = Analyzer()


def matched_fields(fields: dict[str, str], query: LexicalQuery) -> tuple[FieldMatch, ...]:
    return Highlighter(query, ANALYZER).matches(fields)


def shown(text: str, query: str) -> str:
    matches = matched_fields({"title": text}, lexical_query(query))
    return marked(text, matches[0].spans if matches else (), "[", "]")


def test_matched_words_are_named_by_field_as_they_were_typed() -> None:
    fields = {"title": "Solid wood Tables", "brand": "Acme", "category": "", "description": "of oak wood"}
    assert matched_fields(fields, lexical_query("wood table chair")) == (
        FieldMatch("title", ("wood", "table"), ((6, 10), (11, 17))),
        FieldMatch("description", ("wood",), ((7, 11),)),
    )


def test_the_original_is_marked_whatever_its_spelling() -> None:
    assert shown("ＴＡＢＬＥ of ﬁne wood", "fine tables") == "[ＴＡＢＬＥ] of [ﬁne] wood"
    assert shown("簡約手機殼", "手机壳") == "簡約[手機殼]"
    assert shown("Cable 300 cm long", "3m") == "Cable [300 cm] long"
    assert shown("Sony WH-1000XM4", "wh1000xm4") == "Sony [WH-1000XM4]"


def test_a_phrase_is_marked_as_one_and_only_where_it_is_whole() -> None:
    assert shown("wood of solid wood, solid", '"solid wood"') == "wood of [solid wood], solid"
    assert shown("安装很简单", "「安装简单」") == "安装很简单"


def test_excluded_words_are_not_marked() -> None:
    assert shown("red lamp", "lamp -red") == "red [lamp]"


def test_the_beginning_of_a_word_and_a_substitute_mark_what_they_found() -> None:
    group = WordGroup("so", (Alternative(("so",)), Alternative(("couch",), 0.8, "synonym")), prefix=True)
    (match,) = matched_fields({"title": "sofa or couch"}, LexicalQuery((group,)))
    assert match == FieldMatch("title", ("so",), ((0, 4), (8, 13)))


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text())
def test_spans_are_ascending_and_within_any_text(text: str, query: str) -> None:
    for match in matched_fields({"title": text}, lexical_query(query)):
        ends = [0, *(place for span in match.spans for place in span), len(text)]
        assert ends == sorted(ends)
        assert match.words
        assert marked(text, match.spans, "", "") == text
