"""Rows of texts: each version has its own, and none is ever written to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.versions.text_rows import BLOCK, TextRows

steps = st.lists(
    st.tuples(st.integers(0, 3), st.dictionaries(st.integers(0, 2 * BLOCK + 5), st.text(max_size=2))),
    max_size=5,
)


@given(st.sampled_from([0, 1, BLOCK - 1, BLOCK, 2 * BLOCK]), steps, st.booleans())
def test_every_version_has_its_rows_and_stays_as_it_was(
    size: int, changes: list[tuple[int, dict[int, str]]], fork: bool
) -> None:
    wanted = [str(row) for row in range(size)]
    versions = [(TextRows.of(wanted), tuple(wanted))]
    for more, rows in changes:
        before, known = versions[0 if fork else -1]
        after = [*known, *[""] * more]
        rows = {row: text for row, text in rows.items() if row < len(after)}
        for row, text in rows.items():
            after[row] = text
        versions.append((before.with_rows(rows, len(after)), tuple(after)))
    for version, texts in versions:
        assert (tuple(version), len(version)) == (texts, len(texts))
        assert version == texts
        assert version[:] == texts
        assert all(version[row] == text for row, text in enumerate(texts))


def test_rows_are_read_from_both_ends_and_nowhere_else() -> None:
    texts = TextRows.of(("", "pot", "pan"))
    assert (texts[-1], texts[-3], texts[1:]) == ("pan", "", ("pot", "pan"))
    assert texts != ("", "pot")
    assert texts != ("", "pot", "lid")
    assert texts != ["", "pot", "pan"]
    for place in (3, -4):
        with pytest.raises(IndexError):
            texts[place]


def test_one_other_text_shares_all_blocks_but_its_own() -> None:
    texts = TextRows.of(["pot"] * (3 * BLOCK))
    other = texts.with_rows({BLOCK: "pan"}, 3 * BLOCK)
    shared = [ours is theirs for ours, theirs in zip(texts._blocks, other._blocks, strict=True)]
    assert shared == [True, False, True]
