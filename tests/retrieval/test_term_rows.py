import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.analysis.analyzer import Analyzer
from recsys.retrieval.term_rows import TermRows

ANALYZER = Analyzer()
TEXTS = ["", "Red wool hat", "Blue wool caps, wool", "红色连衣裙", ""]


def terms_of(rows: TermRows, index: list[int]) -> list[list[str]]:
    names = list(rows.numbers)
    found = rows.of(np.array(index, np.int64))
    return [[names[term] for term in found.term[found.row == place]] for place in range(len(index))]


def test_rows_hold_their_terms_in_order():
    rows = TermRows.build(TEXTS, ANALYZER)
    assert terms_of(rows, [2, 1, 0]) == [["blue", "wool", "cap", "wool"], ["red", "wool", "hat"], []]
    found = rows.of(np.array([2, 4, 1]))
    assert found.position.tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert found.lengths.tolist() == [4, 0, 3]


def test_han_texts_have_pairs():
    assert "连衣" in terms_of(TermRows.build(TEXTS, ANALYZER), [3])[0]


def test_a_text_counts_once_for_a_term():
    rows = TermRows.build(TEXTS, ANALYZER)
    assert rows.documents[rows.numbers["wool"]] == 2
    assert rows.filled == 3


def test_rarer_terms_have_more_rarity_and_unknown_ones_the_most():
    rows = TermRows.build(TEXTS, ANALYZER)
    wool, red, unknown = rows.rarity([rows.numbers["wool"], rows.numbers["red"], -1])
    assert unknown > red > wool >= 0
    assert rows.all_rarities[rows.numbers["red"]] == red


def test_spellings_are_alike_by_their_pieces():
    rows = TermRows.build(TEXTS, ANALYZER)
    alike = rows.alike(["wool", "wolol", "xyz"])
    wool, hat = rows.numbers["wool"], rows.numbers["hat"]
    assert alike[0, wool] == 1
    assert alike[0, hat] == 0
    # "^wo" and "ol$" are in both; "wool" has 4 pieces, "wolol" 5.
    assert alike[1, wool] == np.float32(2 * 2 / (4 + 5))
    assert alike[2].max() == 0


def test_changed_rows_are_read_and_the_old_view_stays():
    rows = TermRows.build(TEXTS, ANALYZER)
    later = rows.with_rows({1: "green silk hat", 5: "red scarf"}, ANALYZER)
    assert terms_of(later, [1, 5, 2])[:2] == [["green", "silk", "hat"], ["red", "scarf"]]
    assert terms_of(rows, [1]) == [["red", "wool", "hat"]]
    assert later.documents[later.numbers["silk"]] == 1
    assert later.with_rows({5: ""}, ANALYZER).of(np.array([5])).lengths.tolist() == [0]
    assert later.alike(["silk"])[0, later.numbers["silk"]] == 1


words = st.lists(st.sampled_from(["red", "wool", "hat", "cap", "silk"]), max_size=5).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(before=st.lists(words, min_size=2, max_size=6), changes=st.dictionaries(st.integers(1, 7), words))
def test_changes_give_what_building_anew_would(before, changes):
    texts = ["", *before]
    after = dict(enumerate(texts)) | changes
    after = {row: after.get(row, "") for row in range(max(after) + 1)}
    changed = TermRows.build(texts, ANALYZER).with_rows(
        {row: text for row, text in after.items() if row >= len(texts) or row in changes}, ANALYZER
    )
    anew = TermRows.build(list(after.values()), ANALYZER)
    assert terms_of(changed, list(after)) == terms_of(anew, list(after))
