"""Texts as terms: what a shop writes and what a shopper types meet in one term."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer, identifier_term
from recsys.analysis.folding import fold_text, normalise
from recsys.analysis.posting_terms import postings_of_phrase

ANALYZER = Analyzer()
PARTS = ["3 m", "5-1/2 in.", "½", '5½"', "500毫升", "iPhone15手机壳", "安装簡單", '"', "-", "Ａ", "ﬁ", "é"]
PARTS += [
    "\x00",
    "\ud800",
    "pack of 2",
    "8 x 10 ft.",
    "men's",
    "wh-1000xm4",
    "ß",
    "İ",
    "\u0301",
    "١٢",
    "1,000",
]
PARTS += [" ", "kg", "コーヒー", "1/3", "x", "1", "."]
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="0123456789/-., x'\"infab毫升"),
    st.lists(st.sampled_from(PARTS), max_size=8).map("".join),
)


def terms(text: str) -> set[str]:
    return {token.term for token in ANALYZER.tokens(text)}


def query_terms(text: str) -> list[tuple[str, ...]]:
    return [word.terms for word in ANALYZER.query_words(text)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 m", "3m"),
        ("3 m", "3 meters"),
        ("3 m", "3-meter"),
        ("5-1/2 in.", "5.5 inch"),
        ('5½"', "5.5 inch"),
        ("5 1/2 inches", "5.5in"),
        ("16gb", "16 gb"),
        ("16GB", "16 gigabytes"),
        ("500毫升", "500ml"),
        ("1.5升", "1500 ml"),
        ("2 pack", "pack of 2"),
        ("1/2 cup", "0.5 cups"),
        ("1,000 pcs", "1000件"),
        ("6'", "72 inch"),
        ("12 fl. oz", "12 floz"),
        ("60W", "60 watts"),
        ("5kg", "5公斤"),
    ],
)
def test_quantities_written_in_two_ways_are_one_query_and_are_found_in_each_other(
    one: str, other: str
) -> None:
    assert query_terms(one) == query_terms(other)
    (quantity,) = query_terms(one)
    assert set(quantity) <= terms(one) & terms(other)


def test_a_size_gives_its_unit_to_both_numbers() -> None:
    assert {"96inch", "120inch"} <= terms("rug 8 x 10 ft.") & terms("rug 8' x 10'")
    assert query_terms("8x10") == [("8",), ("10",)]


def test_two_in_one_and_months_are_no_lengths_and_pieces() -> None:
    assert query_terms("2 in 1") == [("2",), ("1",)]
    assert query_terms("3个月") == [("3",), ("个",), ("月",)]


def test_normalise_folds_width_script_case_accents_and_drops_controls() -> None:
    assert normalise("ＩＰＨＯＮＥ 手機殼 Café\x00\u200b") == "iphone 手机壳 cafe"
    assert normalise("a\ud800b\tc") == "ab c"


def test_han_characters_are_indexed_alone_in_pairs_and_as_words() -> None:
    assert {"安", "安装", "装简", "简单", "安装简单"} <= terms("安装简单")
    assert query_terms("安装简单") == [("安装",), ("简单",)]


def test_a_mixed_title_is_words_digits_and_han_words() -> None:
    first, _ = ANALYZER.term_stream("iPhone15手机壳")
    assert first == ["iphon", "15", "手机", "机壳", "壳"]
    assert query_terms("iPhone15手机壳") == [("iphon", "15"), ("手机",), ("壳",)]


def test_a_model_number_is_found_with_and_without_its_hyphens() -> None:
    assert (
        query_terms("WH-1000XM4") == query_terms("wh1000xm4") == query_terms("wh 1000 xm4".replace(" ", "-"))
    )
    assert "wh1000xm4" in terms("Sony WH-1000XM4 headphones")
    assert [identifier_term(each) for each in ("WH-1000XM4", "5901234123457", "table", "1/2")] == [
        "wh1000xm4",
        "5901234123457",
        None,
        None,
    ]


def test_quotes_make_a_strict_phrase_and_a_minus_excludes() -> None:
    words = ANALYZER.query_words('"solid wood" table -chair -"red oak"')
    assert [(word.text, word.terms, word.strict, word.excluded) for word in words] == [
        ("solid wood", ("solid", "wood"), True, False),
        ("table", ("tabl",), False, False),
        ("chair", ("chair",), False, True),
        ("red oak", ("red", "oak"), False, True),
    ]


def test_quotes_and_minus_work_on_chinese() -> None:
    words = ANALYZER.query_words("「安装简单」 -红色")
    assert [(word.terms, word.strict, word.excluded) for word in words] == [
        (("安装简单",), True, False),
        (("红色",), False, True),
    ]


def test_inches_are_no_quotes_and_hyphens_within_words_exclude_nothing() -> None:
    assert query_terms('5" nails and 6" screws') == [("5inch",), ("nail",), ("6inch",), ("screw",)]
    assert not any(word.excluded for word in ANALYZER.query_words("non-slip mat - blue"))


def test_words_that_narrow_nothing_are_asked_for_only_where_they_are_all() -> None:
    assert query_terms("a table for the kitchen") == [("tabl",), ("kitchen",)]
    assert query_terms("the of") == [("the",), ("of",)]


def test_offsets_are_of_the_original_where_folding_changed_lengths() -> None:
    text = "ﬁne Straße 5½ in ＣＡＦＥ\u0301 手機殼"
    shown = {token.term: text[token.start : token.end] for token in ANALYZER.tokens(text)}
    assert shown["fine"] == "ﬁne"
    assert shown["cafe"] == "ＣＡＦＥ\u0301"
    assert shown["手机"] == "手機"
    assert shown["5.5inch"] == "5½ in"


def test_surface_terms_are_not_stemmed() -> None:
    assert ANALYZER.surface_terms("Men's Dresses 手机壳 16gb") == ("men", "dresses", "手机", "壳", "16", "gb")


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_text_is_analysed_with_offsets_inside_it(text: str) -> None:
    folded = fold_text(text)
    assert folded.places is None or len(folded.places) == len(folded.text)
    for token in ANALYZER.tokens(text):
        assert 0 <= token.start < token.end <= len(text)
        assert token.term
        assert " " not in token.term
    for word in ANALYZER.query_words(text):
        assert word.text == text[word.start : word.end]
        assert word.terms
    ANALYZER.surface_terms(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_the_quick_stream_has_the_terms_and_positions_of_the_tokens(text: str) -> None:
    first, more = ANALYZER.term_stream(text)
    assert sorted([*((term, place) for place, term in enumerate(first)), *more]) == sorted(
        (token.term, token.position) for token in ANALYZER.tokens(text)
    )


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example('"0".1')
def test_a_text_holds_the_terms_of_its_own_words_as_a_query(text: str) -> None:
    held = terms(text)
    for word in ANALYZER.query_words(text):
        needed = {term for _, term in postings_of_phrase(word.terms)}
        assert needed <= held, (word, needed - held)


@pytest.mark.parametrize(
    "part", ["a", "1", "手", "-", '"', "a-", "1/", "1,", "é", "\u0301", "x 1 ", "pack of 1 ", "'a"]
)
def test_analysis_is_linear_in_the_length(part: str) -> None:
    def seconds(times: int) -> float:
        text = part * times
        before = time.process_time()
        ANALYZER.tokens(text)
        ANALYZER.query_words(text)
        return time.process_time() - before

    def least(times: int) -> float:  # other processes make a run slower, never quicker
        return min(seconds(times) for _ in range(3))

    least(10)
    assert least(8 * 2000) < 30 * least(2000)  # 8 times were it linear, 64 were it quadratic
