"""What a shop knows of words is learned, kept in a safetensors file, and grows by new items."""

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from recsys.analysis.analyzer import Analyzer
from recsys.errors import ArtifactMismatchError
from recsys.search.understanding.knowledge import (
    CatalogTexts,
    QueryClicks,
    ShopWords,
    knowledge_arrays,
    knowledge_from_arrays,
    learned_knowledge,
    with_new_texts,
)
from recsys.search.understanding.synonyms import Synonym, synonym_set
from recsys.search.understanding.understand import QueryKnowledge, understand

QUERIES = (
    "lether sofa",
    "red lether",
    "acme chair under $5",
    "seat",
    "lease",
    "vacum",
    "红色 sofa",
    "chairs",
)


def shop() -> QueryKnowledge:
    catalog = CatalogTexts(
        titles=["Leather sofa", "Leather chair", "Red lead"] * 4,
        categories=["Sofas", "Chairs", ""] * 4,
        brands=["", "Acme", ""] * 4,
        attributes=[{"color": "红色"}] * 12,
    )
    clicks = [QueryClicks("seat", "Chairs", 5), QueryClicks("vacum", "", 3)]
    return learned_knowledge(catalog, ShopWords(clicks, frozenset({"lease"}), "USD"))


def test_a_file_brings_everything_back(tmp_path: Path) -> None:
    knowledge = shop()
    save_file(dict(knowledge_arrays(knowledge)), tmp_path / "words.safetensors")
    again = knowledge_from_arrays(load_file(tmp_path / "words.safetensors"))
    for query in QUERIES:
        assert understand(query, again) == understand(query, knowledge)


def test_catalog_log_and_language_are_used() -> None:
    knowledge = shop()
    assert understand("lether sofa", knowledge).text == "leather sofa"
    assert understand("vacum", knowledge).text == "vacum"
    assert [boost.value for boost in understand("acme chair", knowledge).intent.boosts] == ["Acme", "Chairs"]
    assert [boost.value for boost in understand("seat", knowledge).intent.boosts] == ["Chairs"]
    assert understand("lease", knowledge).text == "lease"
    assert understand("sofa under 5 euros", knowledge).intent.filters.price_max_micros is None


def test_the_order_of_the_catalog_says_nothing_of_words() -> None:
    def learned(titles: list[str]) -> dict[str, int]:
        lexicon = learned_knowledge(CatalogTexts(titles, ["Sofas"] * 3, [""] * 3)).lexicon
        return dict(zip(lexicon.words, lexicon.word_counts.tolist(), strict=True))

    assert learned(["red sofa", "blue sofa", "red sofa"]) == learned(["blue sofa", "red sofa", "red sofa"])
    assert learned(["red sofa", "blue sofa", "red sofa"])["red"] == 2


def test_synonyms_are_set_beside() -> None:
    synonyms = synonym_set([Synonym("sofa", "couch")], Analyzer())
    with_synonyms = knowledge_from_arrays(knowledge_arrays(shop()), synonyms)
    assert understand("sofa", with_synonyms) == understand("sofa", replace(shop(), synonyms=synonyms))


def test_words_of_new_items_are_right_and_are_what_was_meant() -> None:
    knowledge = shop()
    assert understand("hammok", knowledge).text == "hammok"
    grown = with_new_texts(knowledge, ["Garden hammock", "", "Beach hammock", "Hammock stand"])
    assert understand("hammok", grown).text == "hammock"
    assert understand("lether sofa", grown).text == "leather sofa"


def test_an_array_that_is_missing_is_named_with_the_remedy() -> None:
    arrays = dict(knowledge_arrays(shop()))
    del arrays["near.owners"]
    with pytest.raises(ArtifactMismatchError, match="has no 'owners'; train the bundle again"):
        knowledge_from_arrays(arrays)
