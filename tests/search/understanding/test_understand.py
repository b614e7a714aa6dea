"""A query is rewritten in a fixed order, each step named and switchable; what is strict or right stays."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.errors import RequestError
from recsys.filters import Filters
from recsys.search.understanding.catalog_words import catalog_lexicon, correctable_words, near_words_of
from recsys.search.understanding.category_evidence import category_evidence
from recsys.search.understanding.clicked_queries import clicked_queries
from recsys.search.understanding.named_values import catalog_values, named_values
from recsys.search.understanding.parts import REWRITERS
from recsys.search.understanding.spelling import Speller
from recsys.search.understanding.synonym_file import read_synonyms
from recsys.search.understanding.synonyms import synonym_set
from recsys.search.understanding.understand import (
    SPELLING_REWRITERS,
    QueryKnowledge,
    UnderstoodQuery,
    understand,
)

ANALYZER = Analyzer()
TITLES = (
    *["Vacuum cleaner red"] * 30,
    *["Dishwasher stainless steel"] * 8,
    *["Brass door knob"] * 8,
    *["Doorknob cover"] * 4,
    *["Dining set with chairs"] * 8,
    *["Moen faucet chrome"] * 8,
    *["WH-1000XM4 headphones"] * 8,
    "Vaccum bag",  # the catalog's own error
    "红色 连衣裙",
)
SYNONYMS = "faucet => tap^0.5\ndining set, table and chairs\n裙子 => 连衣裙\n"


def knowledge() -> QueryKnowledge:
    lexicon = catalog_lexicon([(title,) for title in TITLES], ANALYZER)
    colours: list[dict[str, object]] = [
        {"color": "红色"},
        {"color": "Red", "width": 3.0},
        {"color": ["Red", "Blue"]},
    ]
    return QueryKnowledge(
        speller=Speller(lexicon, near_words_of(correctable_words(lexicon))),
        synonyms=synonym_set(read_synonyms(SYNONYMS), ANALYZER),
        names=named_values(catalog_values(["Dining Sets", "连衣裙"], ["Moen", ""], colours), ANALYZER),
        currency="USD",
    )


KNOWLEDGE = knowledge()


def rewritten(query: str, known: QueryKnowledge = KNOWLEDGE) -> list[tuple[str, str, str]]:
    return [(each.name, each.before, each.after) for each in understand(query, known).rewrites]


def alternatives(found: UnderstoodQuery) -> list[list[tuple[tuple[str, ...], float, str]]]:
    return [
        [(each.terms, each.weight, each.source) for each in group.alternatives]
        for group in found.lexical.groups
    ]


def test_spelling_puts_the_word_that_was_meant_first_and_keeps_the_typed_one() -> None:
    found = understand("vacum cleanr", KNOWLEDGE)
    assert (found.text, found.meaning, found.corrected) == ("vacuum cleaner", "vacuum cleaner", True)
    assert alternatives(found) == [
        [(("vacuum",), 1.0, "spelling"), (("vacum",), 0.3, "query")],
        [(("cleaner",), 1.0, "spelling"), (("cleanr",), 0.3, "query")],
    ]
    assert [group.text for group in found.lexical.groups] == ["vacum", "cleanr"]


def test_search_instead_for_the_original_is_the_query_without_corrections() -> None:
    found = understand("vacum cleanr", KNOWLEDGE, off=SPELLING_REWRITERS)
    assert (found.text, found.corrected, found.rewrites) == ("vacum cleanr", False, ())


def test_two_words_that_the_catalog_writes_as_one_are_answered_by_it_too() -> None:
    assert alternatives(understand("dish washer", KNOWLEDGE))[0][0] == (("dishwash",), 1.0, "join")
    found = understand("door knob", KNOWLEDGE)
    assert alternatives(found) == [
        [(("door",), 1.0, "query"), (("doorknob",), 0.6, "join")],
        [(("knob",), 1.0, "query"), (("doorknob",), 0.6, "join")],
    ]
    assert (found.text, found.corrected) == ("door knob", False)


def test_one_word_that_the_catalog_mostly_parts_is_answered_by_both() -> None:
    found = understand("doorknob", KNOWLEDGE)
    assert alternatives(found) == [[(("doorknob",), 1.0, "query"), (("door", "knob"), 0.7, "split")]]
    assert rewritten("doorknob") == [("spacing", "doorknob", "door knob")]


def test_a_rare_word_is_answered_by_the_frequent_one_that_it_misspells() -> None:
    assert rewritten("vaccum bag") == [("variants", "vaccum", "vacuum")]
    assert understand("vaccum bag", KNOWLEDGE).text == "vaccum bag"


def test_model_numbers_are_found_in_all_writings() -> None:
    assert rewritten("wh-1000xm4") == [("identifiers", "wh-1000xm4", "wh1000xm4")]
    assert ("identifiers", "WH 1000XM4", "wh1000xm4") in rewritten("WH 1000XM4")
    assert understand("wh-1000xm5", KNOWLEDGE).text == "wh-1000xm5"


def test_quantities_are_canonical_and_their_number_counts_less() -> None:
    found = understand("hose 3 meters", KNOWLEDGE)
    assert alternatives(found)[1] == [(("3000mm",), 1.0, "unit"), (("3",), 0.8, "unit")]
    assert ("units", "3 meters", "3000mm") in rewritten("hose 3 meters")
    assert alternatives(understand("500毫升", KNOWLEDGE)) == alternatives(understand("500 ml", KNOWLEDGE))


def test_synonyms_follow_corrections() -> None:
    assert [name for name, _, _ in rewritten("fauset")] == ["spelling", "synonyms"]
    assert (("tap",), 0.5, "synonym") in alternatives(understand("fauset", KNOWLEDGE))[0]


def test_a_price_is_a_filter_and_no_word() -> None:
    found = understand("vacum cleaner under 20 dollars", KNOWLEDGE)
    assert found.intent.filters == Filters(price_max_micros=20_000_000)
    assert [group.text for group in found.lexical.groups] == ["vacum", "cleaner"]
    assert found.meaning == "vacuum cleaner"
    assert rewritten("under $20") == [("intent", "under $20", "price: 0 to 20")]
    assert understand("under $20", KNOWLEDGE).lexical.groups == ()


def test_names_of_brands_categories_and_colours_boost_and_never_filter() -> None:
    found = understand("moen dining set red", KNOWLEDGE)
    assert [(each.field, each.value, each.words) for each in found.intent.boosts] == [
        ("brand", "Moen", "moen"),
        ("category", "Dining Sets", "dining set"),
        ("attributes.color", "Red", "red"),
    ]
    assert found.intent.filters == Filters()


def test_chinese_queries_have_a_price_a_colour_and_a_category() -> None:
    found = understand("红色 裙子 100元以下", replace(KNOWLEDGE, currency="CNY"))
    assert found.intent.filters == Filters(price_max_micros=100_000_000)
    assert [each.value for each in found.intent.boosts] == ["红色"]
    assert alternatives(found) == [
        [(("红色",), 1.0, "query")],
        [(("裙子",), 1.0, "query"), (("连衣裙",), 0.7, "synonym")],
    ]
    assert [each.value for each in understand("红色 连衣裙", KNOWLEDGE).intent.boosts] == ["红色", "连衣裙"]


def test_the_order_is_that_of_the_rewriters() -> None:
    names = [
        name for name, _, _ in rewritten("ＷＨ-1000XM4 headfones 3 meters faucet door knob vaccum under $5")
    ]
    assert names == sorted(names, key=REWRITERS.index)
    assert set(names) == set(REWRITERS)


@pytest.mark.parametrize("name", REWRITERS)
def test_each_rewriter_is_switched_off_by_its_name(name: str) -> None:
    query = "ＷＨ-1000XM4 headfones 3 meters faucet door knob vaccum under $5"
    names = {each.name for each in understand(query, KNOWLEDGE, off=(name,)).rewrites}
    assert names == set(REWRITERS) - {name}


def test_an_unknown_rewriter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RequestError, match="'speling'; there are normalise, identifiers, units, spelling"):
        understand("sofa", KNOWLEDGE, off=("speling",))


@pytest.mark.parametrize(
    "query", ['"vacum cleanr"', "-vacum", "VACUM cleaner", "vacum4", "vacuum cleaner", "vaccum"]
)
def test_strict_words_codes_digits_and_words_of_the_catalog_are_not_corrected(query: str) -> None:
    assert understand(query, KNOWLEDGE).text == query
    assert not {"spelling"} & {name for name, _, _ in rewritten(query)}


def test_a_query_in_capitals_alone_is_shouted_and_not_a_code() -> None:
    assert understand("VACUM CLEANR", KNOWLEDGE).text == "vacuum cleaner"


def test_a_query_that_people_click_on_is_not_corrected() -> None:
    known = replace(KNOWLEDGE, clicked=clicked_queries([("Vacum  cleanr", 2), ("fauset", 1)]))
    assert understand("vacum CLEANR", known).text == "vacum CLEANR"
    assert understand("fauset", known).text == "faucet"  # one click may be a mistake


def test_a_word_of_queries_that_people_click_on_is_not_corrected() -> None:
    known = replace(KNOWLEDGE, clicked=clicked_queries([("vacum bag", 3), ("vacum hose", 2)]))
    assert understand("vacum cleanr", known).text == "vacum cleaner"


def test_a_word_that_only_the_index_has_is_not_corrected() -> None:
    assert understand("vacum", KNOWLEDGE, in_index=lambda term: term == "vacum").text == "vacum"


def test_categories_come_from_clicks_and_else_from_the_words_of_titles() -> None:
    evidence = category_evidence(
        items=[(("red", "chair"), "Chairs"), (("red", "lamp"), "Lamps")],
        clicks=[("seat", ("seat",), "Chairs", 5)],
    )
    # by clicks (5 + 5 x 1) / (5 + 5); by words 1 / 1; of `red` half each.
    assert [(each.category, each.share) for each in evidence.likely("seat", ("seat",))] == [("Chairs", 1.0)]
    assert [(each.category, each.share) for each in evidence.likely("lamp", ("lamp",))] == [("Lamps", 1.0)]
    shares = [(each.category, each.share) for each in evidence.likely("red", ("red",))]
    assert shares == [("Chairs", 0.5), ("Lamps", 0.5)]
    assert evidence.likely("sofa", ("sofa",)) == ()
    known = replace(KNOWLEDGE, categories=evidence)
    assert [(each.value, each.weight) for each in understand("lamp", known).intent.boosts] == [("Lamps", 1.0)]


texts = st.text(max_size=80) | st.lists(
    st.sampled_from(
        [
            "vacum",
            "cleaner",
            "doorknob",
            '"',
            "-",
            "under $20",
            "红色",
            "裙子",
            "20-30元",
            "wh-1000xm4",
            "3 m",
            "\x00",
        ]
    ),
    max_size=12,
).map(" ".join)


@given(texts)
def test_no_query_is_too_strange(query: str) -> None:
    found = understand(query, KNOWLEDGE)
    assert found.original == query
    assert all(
        group.alternatives and all(a.terms for a in group.alternatives) for group in found.lexical.groups
    )


@given(texts)
def test_what_was_understood_is_understood_as_itself(query: str) -> None:
    once = understand(query, KNOWLEDGE).text
    assert understand(once, KNOWLEDGE).text == once


@given(texts)
def test_strict_and_excluded_words_have_no_other_way_to_be_said(query: str) -> None:
    groups = understand(query, KNOWLEDGE).lexical.groups
    assert all(len(group.alternatives) == 1 for group in groups if group.strict or group.excluded)


@given(
    st.lists(
        st.sampled_from(sorted({word for title in TITLES for word in title.lower().split()})), max_size=6
    )
)
def test_a_query_of_the_catalogs_words_is_not_changed(words: list[str]) -> None:
    query = " ".join(words)
    assert understand(query, KNOWLEDGE).text == query


@given(texts)
def test_widening_only_adds(query: str) -> None:
    """Without a correction every word group has the word itself first, at its full weight."""
    found = understand(query, KNOWLEDGE)
    plain = understand(query, KNOWLEDGE, off=("spacing", "variants", "synonyms", "spelling"))
    if not found.corrected:
        assert [g.alternatives[0] for g in found.lexical.groups] == [
            g.alternatives[0] for g in plain.lexical.groups
        ]
