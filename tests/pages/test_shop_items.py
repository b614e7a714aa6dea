"""What pages and ads take from the catalog that serves."""

from recsys.catalog import stable_key
from recsys.funnel.catalog import Catalog
from recsys.pages.shop_items import categories_about, item_columns, shop_items
from tests.fake_world import shop_bundle

CATALOG = Catalog(shop_bundle())


def test_items_have_what_pages_show_and_unknown_ones_are_left_out() -> None:
    found = shop_items(CATALOG, ["milk", "caviar"])
    assert list(found) == ["milk"]
    milk = found["milk"]
    assert (milk.title, milk.category, milk.product_id, milk.price_micros) == (
        "Milk",
        "dairy",
        "milk",
        1_000_000,
    )
    assert milk.categories == {"dairy"}


def test_columns_say_what_can_be_bought_and_what_is_one_product() -> None:
    columns = item_columns(CATALOG, ["milk", "caviar"])
    assert columns.available.tolist() == [True, False]
    assert columns.price_micros.tolist() == [1_000_000, 0]
    assert columns.product.tolist() == [stable_key("milk"), stable_key("caviar")]


def test_a_page_is_about_its_category_and_about_those_of_its_item() -> None:
    assert categories_about(CATALOG, None, "apple") == ("fruit",)
    assert categories_about(CATALOG, "dairy", None) == ("dairy",)
    assert categories_about(CATALOG, None, "caviar") == ()
