"""A newly learned order of search is taken up between requests, for the catalog of that moment."""

from pathlib import Path

from recsys.jobs.indexes.learned_orders import changed_rows
from recsys.search.requests import SearchRequest
from recsys.search.storefront import Storefront
from recsys.stores.bundles.search_files import RANKER, save_search_ranker
from serving.live.bundle_watch import BundleWatch
from serving.live.order_watch import OrderWatch
from tests.fake_world import Clock
from tests.search.small_shop import NOW, FakeVectors, Row, item_table, make_searcher
from tests.search.test_learned import ranker_of

SHOP = (
    Row("red door", popularity=1, vector=(1, 0, 0, 0)),
    Row("red door", popularity=9, vector=(1, 0, 0, 0)),
    Row("red door", popularity=5, vector=(1, 0, 0, 0)),
)


def watched() -> BundleWatch:
    searcher = make_searcher(SHOP, vectors=FakeVectors({"red door": (1, 0, 0, 0)}))
    watch = BundleWatch(lambda: None, lambda record: shop, Clock())
    shop = Storefront(searcher.recommender, searcher)
    watch.current = shop
    return watch


def learn(folder: Path, name: str, weight: float) -> None:
    (folder / name).mkdir(parents=True)
    save_search_ranker(ranker_of(popularity=weight), folder / name)


def found(watch: BundleWatch) -> list[str]:
    answer = watch.storefront().searcher().search(SearchRequest("r", "red door"), NOW)
    return [item.item_id for item in answer.items]


def test_the_newest_order_serves_from_the_next_look(tmp_path: Path) -> None:
    bundles = watched()
    watch = OrderWatch(tmp_path, bundles)
    watch.check()
    assert bundles.storefront().searcher().order_id == ""  # nothing was learned
    learn(tmp_path, "search-1", -1.0)
    watch.check()
    assert found(bundles) == ["i1", "i3", "i2"]
    learn(tmp_path, "search-2", 1.0)
    watch.check()
    assert found(bundles) == ["i2", "i3", "i1"]
    before = bundles.current
    watch.check()
    assert bundles.current is before, "it serves already"


def test_an_order_that_cannot_be_read_leaves_the_one_before_and_is_a_problem(tmp_path: Path) -> None:
    bundles = watched()
    watch = OrderWatch(tmp_path, bundles)
    learn(tmp_path, "search-1", -1.0)
    watch.check()
    learn(tmp_path, "search-2", 1.0)
    (tmp_path / "search-2" / RANKER).write_text("{")
    watch.check()
    assert bundles.storefront().searcher().order_id == "search-1"
    assert "Train again" in watch.task.error


def test_rows_with_other_words_and_new_rows_have_changed() -> None:
    after = item_table((SHOP[0], Row("green door"), SHOP[2], Row("gate")))
    assert changed_rows(item_table(SHOP), after).tolist() == [2, 4]
