"""How queries and the patterns of rules are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.rules.query_text import contained, index_patterns, query_key


def contains(query: str, pattern: str) -> bool:
    return bool(list(contained(index_patterns([(query_key(pattern), 7)]), query_key(query))))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  Red   DRESS! ", "red dress"),
        ("Ｒｅｄ　Ｄｒｅｓｓ", "red dress"),
        ("红色 连衣裙", "红色连衣裙"),
        ("红色连衣裙XL", "红色连衣裙 xl"),
        ("t-shirt 5.5 inch", "t-shirt 5.5 inch"),
        ("O'Neill", "o'neill"),
        ("!!! 😀", ""),
        ("", ""),
        ("a\x00b", "ab"),
        ("Café 紅色連衣裙", "cafe 红色连衣裙"),  # folded as search folds
    ],
)
def test_a_key_is_folded_words_and_chinese_without_gaps(text: str, key: str) -> None:
    assert query_key(text) == key


@pytest.mark.parametrize(
    ("query", "pattern", "expected"),
    [
        ("red pasta sauce", "pasta sauce", True),
        ("red pasta tomato sauce", "pasta sauce", False),
        ("sauce pasta", "pasta sauce", False),
        ("pastas", "pasta", False),  # words as wholes
        ("antipasta", "pasta", False),
        ("PASTA", "pasta", True),
        ("红色连衣裙", "连衣裙", True),  # Chinese as text
        ("红色 连衣 裙", "连衣裙", True),
        ("红色连衣裙 xl", "连衣裙 xl", True),
        ("红色连衣裙 xxl", "连衣裙 xl", False),
        ("iphone手机壳", "手机", True),
        ("iphone手机壳", "iphone", True),
        ("红裙", "连衣裙", False),
    ],
)
def test_words_are_contained_as_wholes_and_chinese_as_text(query: str, pattern: str, expected: bool) -> None:
    assert contains(query, pattern) is expected


WORDS = st.lists(st.sampled_from(["a", "ab", "b", "红", "裙"]), min_size=1, max_size=6)


@given(WORDS, WORDS)
def test_the_index_finds_what_a_look_at_every_place_finds(query: list[str], pattern: list[str]) -> None:
    def units(words: list[str]) -> list[str]:
        return query_key(" ".join(words)).replace("红", " 红 ").replace("裙", " 裙 ").split()

    whole, part = units(query), units(pattern)
    expected = any(whole[start : start + len(part)] == part for start in range(len(whole)))
    assert contains(" ".join(query), " ".join(pattern)) is expected


@given(st.text(max_size=40))
def test_a_key_is_the_key_of_itself_and_contains_itself(text: str) -> None:
    key = query_key(text)
    assert query_key(key) == key
    assert not key or contains(text, key)
