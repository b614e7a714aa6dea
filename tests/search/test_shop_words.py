"""A search uses the synonyms that are in force at that moment, and suggestions the hidden words."""

from dataclasses import replace

from recsys.rules.synonym_rows import SynonymRow, SynonymRows
from recsys.search.requests import SearchRequest
from recsys.search.searcher import Searcher
from recsys.search.shop_words import ShopWords, shop_words
from recsys.search.suggestions.answer import SuggestRequest
from recsys.search.suggestions.build import suggest_index
from tests.fake_world import ShopFeatures
from tests.search.small_shop import NOW, Row, make_searcher

SHOP = (Row("grey sofa"), Row("grey couch"), Row("grey door"))


class ChangingWords:
    """A ShopWordsSource that a test changes."""

    def __init__(self) -> None:
        self.words = ShopWords()


def found(searcher: Searcher, text: str) -> set[str]:
    return {item.item_id for item in searcher.search(SearchRequest("r", text), NOW).items}


def test_a_synonym_finds_more_from_the_next_search_on() -> None:
    source = ChangingWords()
    searcher = replace(make_searcher(SHOP), words=source)
    assert found(searcher, "sofa") == {"i1"}
    sofa = SynonymRows("en", (SynonymRow(("sofa",), ("couch",), two_way=False),))
    source.words = shop_words([sofa])
    assert found(searcher, "sofa") == {"i1", "i2"}
    assert found(searcher, "couch") == {"i2"}  # one way
    [rewrite] = searcher.search(SearchRequest("r", "sofa"), NOW).rewrites
    assert (rewrite.name, rewrite.after) == ("synonyms", "couch")
    source.words = shop_words([replace(sofa, enabled=False)])
    assert found(searcher, "sofa") == {"i1"}


def test_a_hidden_word_is_not_suggested_from_the_next_key_on() -> None:
    source = ChangingWords()
    asked = (("grey sofa", 2), ("grey door", 1))
    searcher = replace(make_searcher(SHOP), suggestions=suggest_index(asked, (), (), ()), words=source)

    def queries() -> list[str]:
        return [each.query for each in searcher.suggest(SuggestRequest("r", "gre")).queries]

    assert queries() == ["grey sofa", "grey door"]
    source.words = shop_words([], ["doors"])  # in any inflection
    assert queries() == ["grey sofa"]


def test_the_users_own_queries_come_first_where_they_begin_so_find_something_and_are_not_hidden() -> None:
    source = ChangingWords()
    asked = (("grey sofa", 2), ("grey door", 1))
    features = ShopFeatures(
        searches={"ann": [("grey couch", NOW), ("grey moon", NOW), ("door", NOW), ("grey door", NOW)]}
    )
    searcher = replace(
        make_searcher(SHOP), suggestions=suggest_index(asked, (), (), ()), words=source, features=features
    )

    def queries(user_id: str | None) -> list[tuple[str, str]]:
        answer = searcher.suggest(SuggestRequest("r", "gre", user_id))
        assert answer.degraded == ()
        return [(each.query, each.origin) for each in answer.queries]

    popular = [("grey sofa", "popular"), ("grey door", "popular")]
    # Nothing is a grey moon, and "door" does not begin with what is typed.
    assert queries("ann") == [("grey couch", "yours"), ("grey door", "yours"), ("grey sofa", "popular")]
    assert queries("bob") == queries(None) == popular
    source.words = shop_words([], ["couch"])
    assert queries("ann") == [("grey door", "yours"), ("grey sofa", "popular")]


def test_suggestions_go_on_without_the_users_own_queries_and_say_so() -> None:
    searcher = replace(make_searcher(SHOP), suggestions=suggest_index((("grey sofa", 2),), (), (), ()))
    with_user = searcher.suggest(SuggestRequest("r", "gre", "ann"))  # its features cannot be read
    without = searcher.suggest(SuggestRequest("r", "gre"))
    assert with_user.queries == without.queries != ()
    assert (with_user.degraded, without.degraded) == (("not_personalised",), ())


def test_several_sets_are_one() -> None:
    sets = [
        SynonymRows("a", (SynonymRow(("sofa", "divan"), ("couch",)),)),
        SynonymRows("b", (SynonymRow(("door",), ("gate",), False, 0.5),), "en"),
    ]
    entries = shop_words(sets).synonyms.entries
    assert [(each.words, each.synonym, each.two_way, each.weight) for each in entries] == [
        ("sofa", "couch", True, 0.7),
        ("divan", "couch", True, 0.7),
        ("door", "gate", False, 0.5),
    ]
    assert entries[2].place == "set 'b', synonym 1"
