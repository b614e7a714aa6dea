"""A mapping guessed from columns and first rows: which file is what, and what each column means."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import DataError
from recsys.ingest.guess.cells import list_separator, written_money, written_time
from recsys.ingest.guess.lines import Block, Line, mapping_toml
from recsys.ingest.guess.mapping import GuessedMapping, guess_mapping
from recsys.ingest.guess.sheets import read_sheet
from recsys.ingest.guess.words import known_event_kind
from recsys.ingest.mapping.files import parse_mapping
from recsys.ingest.mapping.schema import ShopMapping

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def guess(folder: Path, **files: str | bytes) -> tuple[ShopMapping, GuessedMapping]:
    """The mapping of files that are given as `events_csv="..."`; what it says parses."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        stem, _, ending = name.rpartition("_")
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{stem}.{ending}").write_bytes(data)
    sheets = [read_sheet(path, folder) for path in sorted(folder.iterdir())]
    found = guess_mapping(sheets, "corner", "files", NOW)
    return parse_mapping(found.text, "mapping.toml"), found


def event_columns(mapping: ShopMapping) -> tuple[Any, ...]:
    source = mapping.events[0]
    return source.user, source.item, source.time.column, source.time.unit


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "user_id,item_id,timestamp",
            "u1,i1,2026-03-01T10:00:00Z",
            ("user_id", "item_id", "timestamp", "iso"),
        ),
        ("Customer ID,SKU,Order Date", "u1,i1,2026-03-01", ("Customer ID", "SKU", "Order Date", "iso")),
        ("visitorid,itemid,ts", "1,2,1772359200000", ("visitorid", "itemid", "ts", "ms")),
        ("uid,productId,createdAt", "1,2,1772359200", ("uid", "productId", "createdAt", "s")),
        (
            "CustomerNo,StockCode,InvoiceDate",
            "1,2,2026/3/1 10:00",
            ("CustomerNo", "StockCode", "InvoiceDate", "iso"),
        ),
        ("reviewerID,asin,unixReviewTime", "A1,B2,1772359200", ("reviewerID", "asin", "unixReviewTime", "s")),
        ("用户ID,商品ID,时间戳", "u1,p1,1772359200", ("用户ID", "商品ID", "时间戳", "s")),
        ("会员编号,货号,下单时间", "m1,h1,2026-03-01 10:00:00", ("会员编号", "货号", "下单时间", "iso")),
        ("who,customer,product,moment", "x,u1,p1,2026-03-01 10:00", ("customer", "product", "moment", "iso")),
    ],
)
def test_user_item_and_time_by_their_names(
    header: str, row: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    mapping, found = guess(tmp_path / "files", events_csv=f"{header}\n{row}\n")
    assert event_columns(mapping) == expected
    assert found.missing == ()


@pytest.mark.parametrize(
    ("cells", "keys"),
    [
        (["2026-03-01 10:15", "2026-03-02 18:40"], {}),
        (["20260301", "20260302"], {}),
        (["1772359200", "1772359201.5"], {"unit": "s"}),
        (["978300760"], {"unit": "s"}),
        (["1772359200123"], {"unit": "ms"}),
        (["1772359200123456"], {"unit": "us"}),
        (["1772359200123456789"], {"unit": "ns"}),
        (["05.11.2025 10:00", "25.11.2025 12:30"], {"format": "%d.%m.%Y %H:%M"}),
        (["3/1/2026", "3/25/2026"], {"format": "%m/%d/%Y"}),
        (["25/3/2026 9:05 PM"], {"format": "%d/%m/%Y %I:%M %p"}),
        (["2026年3月1日", "2026年12月31日"], {"format": "%Y年%m月%d日"}),
        (["Mar 1, 2026", "Dec 31, 2026"], {"format": "%b %d, %Y"}),
    ],
)
def test_how_instants_are_written(cells: list[str], keys: dict[str, str]) -> None:
    found = written_time(pa.array(cells))
    assert found is not None
    assert found.keys == keys


def test_of_day_and_month_those_count_whose_dates_lie_closer_together() -> None:
    week = written_time(pa.array([f"{day:02}/03/2026" for day in range(1, 8)]))
    assert week is not None
    assert week.keys == {"format": "%d/%m/%Y"}
    assert "%m/%d/%Y" in week.why


@pytest.mark.parametrize("cells", [["tea", "mug"], ["1", "2", "3"], ["12345678901"], ["1872-01-01"], []])
def test_what_is_no_instant(cells: list[str]) -> None:
    assert written_time(pa.array(cells, pa.string())) is None


@pytest.mark.parametrize(
    ("cells", "keys", "currency"),
    [
        (["4.50", "12"], {}, None),
        (["$4.50", "$1,299.00"], {"decimal": ".", "strip": "$"}, "USD"),
        (["4,50 €", "1.299,00 €"], {"decimal": ",", "strip": "€"}, "EUR"),
        (["12,99", "7,5"], {"decimal": ","}, None),
        (["1,299", "12,000"], {"decimal": "."}, None),
        (["￥12.50"], {"strip": "￥"}, "CNY"),
        (["EUR 4.50", "EUR 12.00"], {"strip": "EUR"}, "EUR"),
        (["(4.50)", "7.00-"], {}, None),
    ],
)
def test_how_money_is_written(cells: list[str], keys: dict[str, str], currency: str | None) -> None:
    found = written_money(cells)
    assert found is not None
    assert (found.keys, found.currency) == (keys, currency)


@pytest.mark.parametrize("cells", [["tea", "mug"], ["4.50", "cheap", "dear"], []])
def test_what_is_no_money(cells: list[str]) -> None:
    assert written_money(cells) is None


ORDER_LINES = "user_id,sku,timestamp\nu1,s1,2026-03-01T10:00:00Z\nu2,s2,2026-03-02T10:00:00Z\n"


def test_variants_levels_and_the_first_day_of_items_are_found(tmp_path: Path) -> None:
    products = (
        "sku,name,item_group_id,category,google_product_category,date_added\n"
        "s1,Cap red,cap,Hats,Apparel > Hats,2026-01-05\n"
        "s2,Cap blue,cap,Hats,Apparel > Hats,2026-01-06\n"
        "s3,Sock,sock,Socks,Apparel > Socks,2026-02-01\n"
    )
    mapping, found = guess(tmp_path / "files", orders_csv=ORDER_LINES, products_csv=products)
    items = mapping.items
    assert (items.id, items.product_id) == ("sku", "item_group_id")
    assert items.category_path is not None
    assert items.category_path.separator == ">"
    assert items.first_at is not None
    assert items.first_at.column == "date_added"
    assert "variants share it" in found.text
    assert not {"item_group_id", "google_product_category", "date_added"} & set(items.attributes)


def test_a_category_of_levels_is_the_path_too(tmp_path: Path) -> None:
    products = "sku,name,category\ns1,Pot,Home > Pots\ns2,Pan,Home > Pans\n"
    mapping, _ = guess(tmp_path / "files", orders_csv=ORDER_LINES, products_csv=products)
    path = mapping.items.category_path
    assert path is not None
    assert path.column is not None
    assert path.column.columns == ("category",)


def test_columns_that_say_nothing_of_the_kind_are_not_taken_for_it(tmp_path: Path) -> None:
    products = "sku,name,parent_id,breadcrumb,created_at\ns1,Pot,p1,Pots,soon\ns2,Pan,p2,Pans,later\n"
    mapping, _ = guess(tmp_path / "files", orders_csv=ORDER_LINES, products_csv=products)
    items = mapping.items
    assert (items.product_id, items.category_path, items.first_at) == (None, None, None)


def test_lists_inside_cells() -> None:
    assert list_separator(["Comedy|Drama", "Drama"]) == "|"
    assert list_separator(["Home > Kitchen", "Home > Garden"]) == ">"
    assert list_separator(["Comedy", "Drama"]) is None


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        *[("view", "view"), ("page_view", "view"), ("pv", "view"), ("浏览", "view"), ("click", "click")],
        *[("addtocart", "cart"), ("Add to cart", "cart"), ("加入购物车", "cart"), ("cart", "cart")],
        *[("transaction", "purchase"), ("BUY", "purchase"), ("购买", "purchase"), ("wishlist", "like")],
        *[("refund", "cancel"), ("search", "search"), ("曝光", "impression"), ("remove_from_cart", None)],
    ],
)
def test_words_for_kinds_of_event(word: str, kind: str | None) -> None:
    assert known_event_kind(word) == kind


def test_kinds_by_their_words_and_what_is_not_known_is_named(tmp_path: Path) -> None:
    rows = "u,p1,view\nu,p1,addtocart\nu,p1,transaction\nv,p1,gift_wrap\n"
    mapping, found = guess(tmp_path / "files", log_csv=f"visitorid,itemid,event\n{rows}")
    kind = mapping.events[0].kind
    assert (kind.column, kind.values) == (
        "event",
        {"view": "view", "addtocart": "cart", "transaction": "purchase"},
    )
    assert "'gift_wrap'" in found.text
    assert mapping.label_kinds == ("view", "cart", "purchase")


def test_codes_for_kinds_are_asked_for(tmp_path: Path) -> None:
    mapping, found = guess(tmp_path / "files", log_csv="user_id,item_id,behavior_type\n1,2,1\n1,2,4\n")
    assert (mapping.events[0].kind.values, mapping.events[0].kind.otherwise) == ({}, "view")
    assert "what do '1', '4' mean? Add them to `values`" in found.text


@pytest.mark.parametrize(
    ("file", "kind"),
    [("orders_csv", "purchase"), ("cart_adds_csv", "cart"), ("favorites_csv", "like"), ("log_csv", "view")],
)
def test_one_kind_by_the_name_of_the_file(file: str, kind: str, tmp_path: Path) -> None:
    mapping, _ = guess(tmp_path / "files", **{file: "user,item\nu,p\n"})
    assert mapping.events[0].kind.fixed == kind


def test_a_rating_says_what_was_liked(tmp_path: Path) -> None:
    mapping, _ = guess(
        tmp_path / "files",
        ratings_csv="userId,movieId,rating,timestamp\n1,2,3.5,1772359200\n1,3,5,1772359300\n",
    )
    [case] = mapping.events[0].kind.cases
    assert (case.kind, case.column, case.at_least) == ("like", "rating", 4)


def test_a_negative_quantity_is_a_return(tmp_path: Path) -> None:
    rows = "536365,85123A,Lantern,6,2025-12-01 8:26,2.55,17850\n"
    rows += "C536379,85123A,Lantern,-1,2025-12-02 9:41,2.55,17850\n"
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
    mapping, _ = guess(tmp_path / "files", online_retail_csv=header + rows)
    source = mapping.events[0]
    [case] = source.kind.cases
    assert (case.kind, case.column, case.below, source.kind.otherwise) == (
        "cancel",
        "Quantity",
        0,
        "purchase",
    )
    assert source.value is not None
    assert (source.value.column, source.value.per, source.session) == ("UnitPrice", "unit", "InvoiceNo")
    assert mapping.items.title is not None  # the only words of the log are those of its items
    assert mapping.items.title.source == "Description"


def test_a_catalog_with_its_texts_price_and_stock(tmp_path: Path) -> None:
    mapping, _ = guess(
        tmp_path / "files",
        events_csv="user_id,sku,ts\nu,T-1,2026-03-01\n",
        products_csv=(
            "sku,name,body_html,categories,vendor,price,stock,colour,weight_kg,image_url\n"
            "T-1,Tea,<p>Fine <b>tea</b></p>,Home > Tea,Alp,4.50,3,green,0.1,http://x/1\n"
            "M-1,Mug,<p>Mug</p>,Home > Kitchen,Alp,12.00,0,green,0.4,http://x/2\n"
        ),
    )
    items = mapping.items
    assert (items.id, items.title and items.title.source) == ("sku", "name")
    assert items.text is not None
    assert items.text.source == "{name}. {vendor}. {categories}. {body_html|plain}"
    assert items.category is not None
    assert (items.category.source, items.lists) == ("{categories[0]}", {"categories": ">"})
    assert items.price is not None
    assert items.price.column == "price"
    [condition] = items.unavailable
    assert (condition.column, condition.at_most) == ("stock", 0)
    assert {name: each.type for name, each in items.attributes.items()} == {
        "colour": "text",
        "weight_kg": "number",
    }


def test_prices_in_cents_and_words_for_what_is_not_for_sale(tmp_path: Path) -> None:
    mapping, _ = guess(
        tmp_path / "files",
        events_csv="user_id,item_id,time\nu,1,2026-03-01\n",
        items_csv="item_id,title,price_cents,available\n1,Tea,450,yes\n2,Mug,1200,no\n",
    )
    assert mapping.items.price is not None
    assert (mapping.items.price.column, mapping.items.price.scale) == ("price_cents", 0.01)
    assert mapping.items.unavailable[0].is_in == ("no",)


def test_the_columns_of_ids_that_meet_are_taken(tmp_path: Path) -> None:
    mapping, _ = guess(
        tmp_path / "files",
        orders_csv="customer_id,product_id,sku,date\nu,77,TEA,2026-03-01\nu,78,MUG,2026-03-02\n",
        products_csv="id,code,title\n77,x,Tea\n78,y,Mug\n",
    )
    assert (mapping.events[0].item, mapping.items.id) == ("product_id", "id")


def test_users_without_what_is_personal(tmp_path: Path) -> None:
    mapping, found = guess(
        tmp_path / "files",
        events_csv="user_id,item_id,time\n5,1,2026-03-01\n",
        customers_csv="id,name,email,country,age\n5,Ann,a@example.org,DE,31\n6,Bob,b@example.org,DE,40\n",
    )
    assert mapping.users is not None
    assert (mapping.users.id, set(mapping.users.attributes)) == ("id", {"country", "age"})
    assert "# not taken: name, email" in found.text


def test_orders_and_their_lines_are_joined(tmp_path: Path) -> None:
    mapping, found = guess(
        tmp_path / "files",
        order_items_csv="order_id,product_id,quantity,price\n10,77,2,4.50\n11,78,1,12.00\n",
        orders_csv="id,customer_id,created_at\n10,5,2026-03-01 10:00\n11,6,2026-03-02 11:00\n",
    )
    source = mapping.events[0]
    assert (source.user, source.item, source.time.column) == (
        "orders.customer_id",
        "product_id",
        "orders.created_at",
    )
    assert (source.join["orders"].on, source.join["orders"].id) == ("order_id", "id")
    assert found.files == {"order_items.csv": "events", "orders.csv": "orders"}


def test_files_of_the_same_columns_are_one_table_and_other_kinds_another(tmp_path: Path) -> None:
    row = "user_id,item_id,time\nu,1,2026-03-01\n"
    mapping, _ = guess(tmp_path / "files", **{"orders-1_csv": row, "orders-2_csv": row, "views_csv": row})
    assert [(source.files, source.kind.fixed) for source in mapping.events] == [
        (("orders-1.csv", "orders-2.csv"), "purchase"),
        (("views.csv",), "view"),
    ]


def test_a_log_that_ended_long_ago_is_moved_to_this_week(tmp_path: Path) -> None:
    old, found = guess(tmp_path / "old", log_csv="user_id,item_id,time\nu,1,2025-10-01\n")
    assert (old.time.shift, found.moved_from) == ("weeks-to-now", datetime(2025, 10, 1, tzinfo=UTC))
    new, found = guess(tmp_path / "new", log_csv="user_id,item_id,time\nu,1,2026-02-01\n")
    assert (new.time.shift, found.moved_from) == ("none", None)


def test_without_a_time_the_order_of_the_file_counts(tmp_path: Path) -> None:
    mapping, found = guess(tmp_path / "files", log_csv="user_id,item_id\nu,1\nu,2\n")
    assert mapping.clock == "order"
    assert "no column is a time" in found.text


@pytest.mark.parametrize(("again", "repeats"), [("u,1,2026-03-02", True), ("u,2,2026-03-02", False)])
def test_whether_the_same_again_is_normal(again: str, repeats: bool, tmp_path: Path) -> None:
    mapping, _ = guess(tmp_path / "files", log_csv=f"user_id,item_id,time\nu,1,2026-03-01\n{again}\n")
    assert mapping.repeats is repeats


def test_what_is_missing_is_a_line_to_fill_in(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("item_id,moment,who\n1,2026-03-01,ann\n")
    found = guess_mapping([read_sheet(tmp_path / "log.csv", tmp_path)], "corner", "files", NOW)
    assert (dict(found.files), found.missing) == ({"log.csv": "items"}, ())  # a catalog alone is complete
    (tmp_path / "log.csv").write_text("moment,who\n2026-03-01,ann\n")
    found = guess_mapping([read_sheet(tmp_path / "log.csv", tmp_path)], "corner", "files", NOW)
    assert found.missing == (
        "no file has events, a row for each thing that a user did with an item, or items, a row for each",
    )
    (tmp_path / "log.csv").write_text("user_id,moment,what\nann,2026-03-01,tea\n")
    found = guess_mapping([read_sheet(tmp_path / "log.csv", tmp_path)], "corner", "files", NOW)
    assert found.missing == ("log.csv: item: which column is the item? There are: user_id, moment, what",)
    assert '# item = ""' in found.text


def test_a_file_that_fits_nothing_is_named(tmp_path: Path) -> None:
    _, found = guess(
        tmp_path / "files", log_csv="user_id,item_id\nu,1\n", shops_csv="town,opened\nRome,2020\n"
    )
    assert found.files["shops.csv"] == "not used"
    assert "# -- shops.csv: neither events nor items nor users" in found.text


# -- how files are written ----------------------------------------------------------------------------


def test_semicolons_chinese_bytes_and_packed_files(tmp_path: Path) -> None:
    mapping, _ = guess(
        tmp_path / "files",
        行为_csv="用户ID;商品ID;时间戳\nu1;p1;1772359200\n".encode("gb18030"),
        商品_csv="商品ID;商品名称;价格\np1;绿茶;12,50\n".encode("gb18030"),
    )
    source = mapping.events[0]
    assert (source.encoding, source.delimiter, source.user) == ("gb18030", ";", "用户ID")
    assert (mapping.items.encoding, mapping.items.price and mapping.items.price.decimal) == ("gb18030", ",")
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "log.csv.gz").write_bytes(gzip.compress(b"user_id\titem_id\nu\t1\n"))
    sheet = read_sheet(folder / "log.csv.gz", folder)
    assert (dict(sheet.settings), sheet.names) == ({"delimiter": "\t"}, ["user_id", "item_id"])


def test_json_lines_and_parquet(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    lines = [{"user": {"id": n}, "product": {"sku": "a"}, "at": "2026-03-01T10:00:00Z"} for n in range(3)]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    pq.write_table(
        pa.table({"sku": ["a", "b"], "title": ["Tea", "Mug"], "price": [4.5, 12.0]}), folder / "p.parquet"
    )
    mapping, _ = guess(folder)
    assert event_columns(mapping)[:3] == ("user.id", "product.sku", "at")
    assert (mapping.items.id, mapping.items.files) == ("sku", ("p.parquet",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"1,1193,5,978300760\n1,661,3,978302109\n", "has no line of column names"),
        (b"user_id,item_id\n", "has no rows"),
        (b"PK\x03\x04rest", "zip"),
    ],
)
def test_what_is_no_table_with_column_names_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_sheet(tmp_path / "log.csv", tmp_path)


def test_cells_and_names_cannot_break_out_of_the_file(tmp_path: Path) -> None:
    evil = 'event"] = 1\n[[evil'
    block = Block(
        "[[events]]", (), [Line(evil, {evil: evil}, f"such as {evil}\r\n\x00\x1b[31m"), Line("a", 1, "")]
    )
    text = mapping_toml([block])
    assert text.count("[[events]]") == 1
    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 3
    header = '"user_id","item ""x""\u2028id","event"\n'
    mapping, _ = guess(tmp_path / "files", log_csv=header + 'u,1,"view\n[evil]"\nu,1,view\n')
    assert mapping.events[0].kind.values == {"view": "view"}


def test_names_of_files_and_columns_cannot_end_a_comment(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "log.csv").write_text("user_id,item_id\nu,1\n")
    (folder / "shops\n[evil].csv").write_text("town,opened\nRome,2020\n")
    header = 'item_id,title,"e\nmail",a b,a_b\n'
    (folder / "items.csv").write_text(header + "1,Tea,x,red,blue\n2,Mug,x,red,blue\n")
    mapping, found = guess(folder)
    assert set(mapping.items.attributes) >= {"a_b"}
    assert "\n[evil]" not in found.text
