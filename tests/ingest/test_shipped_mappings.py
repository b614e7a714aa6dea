"""Each shipped mapping on a few rows in the form that its publisher gives them."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.home import HomePaths
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.mapping.files import load_mapping, shipped_mappings
from recsys.jobs.data.import_shop import run_import
from recsys.stores.lake.event_lake import EventLake

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def run(folder: Path, name: str, **files: bytes) -> tuple[ImportedShop, list[dict[str, Any]]]:
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for file, content in files.items():
        (source / file).write_bytes(content)
    paths = HomePaths(folder / "home")
    imported = run_import(paths, ShopFiles(load_mapping(name), "0", source), "", NOW)
    return imported, EventLake(paths.lake).read().to_pylist()


def items(imported: ImportedShop) -> dict[str, dict[str, Any]]:
    return {row["item_id"]: row for row in imported.items.to_pylist()}


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["user_id"], row["item_id"], row["kind"]) for row in events]


def test_every_shipped_mapping_is_tried_here() -> None:
    tried = Path(__file__).read_text("utf-8")
    assert [name for name in shipped_mappings() if f'"{name}"' not in tried] == []


def test_complete_journey(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    lines = {
        "household_id": [1, 1, 2, 2, 2],
        "basket_id": [10, 10, 20, 20, 20],
        "product_id": [100, 200, 100, 300, 999],
        "quantity": [2, 0, 1, 8500, 1],
        "sales_value": [3.0, 0.0, 1.6, 24.04, 1.0],
        "transaction_timestamp": pa.array(
            [*["2017-01-01 11:00:00", "2018-01-01 04:01:20"] * 2, "2017-05-01 00:00:00"]
        ).cast(pa.timestamp("ns")),
    }
    pq.write_table(pa.table(lines), source / "transactions.parquet")
    products = {
        "product_id": [100, 200, 300],
        "manufacturer_id": [2, 2, 69],
        "department": ["GROCERY", "GROCERY", "FUEL"],
        "brand": ["National", "Private", "National"],
        "product_category": ["FRZN ICE", "FRZN ICE", "COUPON/MISC ITEMS"],
        "product_type": ["ICE - CRUSHED/CUBED", "ICE", "GASOLINE-REG UNLEADED"],
        "package_size": ["22 LB", None, None],
    }
    pq.write_table(pa.table(products), source / "products.parquet")
    names = ["age", "income", "home_ownership", "marital_status", "household_size", "household_comp"]
    people = {"household_id": [1], **{name: ["x"] for name in names}, "kids_count": ["0"]}
    pq.write_table(pa.table(people), source / "demographics.parquet")

    imported, events = run(tmp_path, "complete-journey")
    assert imported.report["events"]["reasons"] == {"nothing_bought": 1, "unknown_item": 1}
    ice = items(imported)["100"]
    assert (ice["title"], ice["category"]) == ("Ice - Crushed/Cubed 22 LB", "FRZN ICE")
    assert ice["text"] == "grocery. frzn ice. ice - crushed/cubed"
    assert ice["category_path"] == "GROCERY/FRZN ICE/ICE - CRUSHED-CUBED"  # a slash in a level is a dash
    assert ice["price_micros"] == 1_500_000  # two at 3.00 and one at 1.60: the lower median
    assert json.loads(ice["attributes"])["manufacturer_id"] == "2"
    fuel = items(imported)["300"]
    assert (fuel["available"], fuel["price_micros"]) == (False, 24_040_000)
    assert "200" not in items(imported)  # nobody bought it
    assert {row["session_id"] for row in events} == {"10", "20"}
    # 2018-01-01 was a Monday; moved by whole weeks its last event is the Monday before NOW, a Wednesday
    assert events[-1]["at"] == datetime(2026, 3, 2, 4, 1, 20, tzinfo=UTC)


def test_movielens_100k_as_published(tmp_path: Path) -> None:
    flags = ["0"] * 19
    flags[3] = flags[4] = flags[5] = "1"  # unknown, Action, Adventure, then Animation, Children's, Comedy
    film = "|".join(["1", "Mis\xe9rables, Les (1995)", "01-Jan-1995", "", "http://x", *flags])
    imported, events = run(
        tmp_path,
        "movielens-100k",
        **{
            "u.data": b"1\t1\t5\t874965758\n2\t1\t3\t874965759\n",
            "u.item": f"{film}\n".encode("latin-1"),
            "u.user": b"1|24|M|technician|85711\n",
        },
    )
    assert kinds(events) == [("1", "1", "like"), ("2", "1", "view")]
    assert items(imported)["1"]["text"] == "Misérables, Les (1995). Animation, Children's, Comedy"
    assert items(imported)["1"]["category"] == "Animation"
    assert json.loads(imported.users["attributes"][0].as_py()) == {
        "age": 24,
        "gender": "M",
        "occupation": "technician",
    }


def test_movielens_100k_as_csv(tmp_path: Path) -> None:
    imported, events = run(
        tmp_path,
        "movielens-100k-csv",
        **{
            "ratings.csv.gz": gzip.compress(b"user_id,item_id,rating,timestamp\n196,1,4,881250949\n"),
            "movies.csv": b"item_id,movie_title,release_year,class\n1,Toy Story,1995,Animation Children's\n",
            "users.csv": b"user_id,age,gender,occupation,zip_code\n196,24,M,other,85711\n",
        },
    )
    assert kinds(events) == [("196", "1", "like")]
    assert events[0]["at"] == datetime.fromtimestamp(881250949, UTC)
    assert items(imported)["1"]["text"] == "Toy Story (1995). Animation, Children's"


def test_movielens_1m(tmp_path: Path) -> None:
    imported, events = run(
        tmp_path,
        "movielens-1m",
        **{
            "ratings.dat": b"1::1193::5::978300760\n1::661::3::978302109\n",
            "movies.dat": '1193::One "Flew": A (1975)::Drama|War\n661::Am\xe9 (1996)::Musical\n'.encode(
                "latin-1"
            ),
            "users.dat": b"1::F::1::10::48067\n",
        },
    )
    assert kinds(events) == [("1", "1193", "like"), ("1", "661", "view")]
    assert items(imported)["1193"]["text"] == 'One "Flew": A (1975). Drama, War'


def test_movielens_latest(tmp_path: Path) -> None:
    imported, events = run(
        tmp_path,
        "movielens-latest",
        **{
            "ratings.csv": b"userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,2,3.5,964982704\n",
            "movies.csv": b'movieId,title,genres\n1,"Story, A (1995)",Comedy|Drama\n2,B,(no genres listed)\n',
        },
    )
    assert [row["kind"] for row in events] == ["like", "view"]
    assert items(imported)["1"]["text"] == "Story, A (1995). Comedy, Drama"
    assert (items(imported)["2"]["text"], items(imported)["2"]["category"]) == ("B", None)


def lines(*documents: dict[str, Any]) -> bytes:
    return gzip.compress("".join(json.dumps(document) + "\n" for document in documents).encode())


def test_amazon_reviews_2018(tmp_path: Path) -> None:
    imported, events = run(
        tmp_path,
        "amazon-reviews-2018",
        **{
            "Garden_5.json.gz": lines(
                {"reviewerID": "A", "asin": "B1", "overall": 5.0, "unixReviewTime": 1400000000},
                {"reviewerID": "A", "asin": "B2", "overall": 2.0, "unixReviewTime": 1400000000},
            ),
            "meta_Garden.json.gz": lines(
                {
                    "asin": "B1",
                    "title": "Rake",
                    "brand": "Acme",
                    "category": ["Garden", "Tools"],
                    "price": "$9.99",
                },
                {"asin": "B2", "title": "Hoe", "category": [], "price": ".a-section { color: red }"},
            ),
        },
    )
    assert [row["kind"] for row in events] == ["like", "view"]
    rake = items(imported)["B1"]
    assert (rake["text"], rake["category"]) == ("Rake. Acme. Garden, Tools", "Tools")
    assert rake["price_micros"] == 9_990_000
    assert items(imported)["B2"]["price_micros"] is None
    assert imported.report["items"]["blanked"] == {"price_micros": 1}


def test_amazon_reviews_2023(tmp_path: Path) -> None:
    imported, events = run(
        tmp_path,
        "amazon-reviews-2023",
        **{
            "Toys.jsonl.gz": lines(
                {"user_id": "A", "parent_asin": "P", "asin": "B", "rating": 4.0, "timestamp": 1588687728923}
            ),
            "meta_Toys.jsonl.gz": lines(
                {
                    "parent_asin": "P",
                    "title": "Kite",
                    "store": "Acme",
                    "categories": ["Toys", "Outdoor"],
                    "features": ["Flies"],
                    "price": 19.5,
                    "details": {"Manufacturer": "Acme Inc."},
                }
            ),
        },
    )
    assert events[0]["at"] == datetime(2020, 5, 5, 14, 8, 48, 923000, tzinfo=UTC)
    kite = items(imported)["P"]
    assert kite["text"] == "Kite. Acme. Toys, Outdoor. Flies"
    assert kite["price_micros"] == 19_500_000
    assert json.loads(kite["attributes"])["manufacturer"] == "Acme Inc."


def test_retailrocket(tmp_path: Path) -> None:
    properties = b"timestamp,itemid,property,value\n"
    imported, events = run(
        tmp_path,
        "retailrocket",
        **{
            "events.csv": b"timestamp,visitorid,event,itemid,transactionid\n"
            b"1433221332117,257597,view,355908,\n1433221332118,257597,transaction,355908,4000\n",
            "item_properties_part1.csv": properties + b"1435402800000,355908,categoryid,1338\n",
            "item_properties_part2.csv": properties
            + b"1435402800001,355908,categoryid,1400\n1435402800001,355908,888,n10\n"
            + b"1435402800001,355908,available,0\n",
        },
    )
    assert [(row["kind"], row["session_id"]) for row in events] == [("view", None), ("purchase", "4000")]
    item = items(imported)["355908"]
    assert (item["title"], item["category"], item["available"]) == ("Item 355908", "1400", False)


def test_ordered_csv(tmp_path: Path) -> None:
    imported, events = run(
        tmp_path,
        "ordered-csv",
        **{
            "events.csv": b"user_id,item_id,position\nu0,g1,1\nu0,g2,0\n",
            "items.csv": b"item_id,title\ng1,One\ng2,Two\n",
        },
    )
    assert imported.info.clock == "order"
    assert [row["item_id"] for row in events] == ["g2", "g1"]


def test_simulated(tmp_path: Path) -> None:
    event = {"user_id": "sim-shopper-1", "session_id": "s", "request_id": "r", "position": 2}
    imported, events = run(
        tmp_path,
        "simulated",
        **{
            "events.jsonl.gz": lines(
                {
                    **event,
                    "event_id": "a",
                    "kind": "search",
                    "query": "tea",
                    "at": "2026-01-05T10:00:00+00:00",
                },
                {
                    **event,
                    "event_id": "b",
                    "kind": "click",
                    "item_id": "1",
                    "at": "2026-01-05T10:00:05.5+00:00",
                },
            ),
            "items.jsonl": json.dumps(
                {"item_id": "1", "title": "Tea", "text": "tea", "category": "drinks", "brand": None}
                | {"price_micros": 2_500_001, "available": False, "tags": ["colour: green"]}
            ).encode(),
        },
    )
    assert [(row["kind"], row["query"], row["position"]) for row in events] == [
        ("search", "tea", 2),
        ("click", None, 2),
    ]
    tea = items(imported)["1"]
    assert (tea["price_micros"], tea["available"], tea["brand"]) == (2_500_001, False, None)
    assert json.loads(tea["attributes"]) == {"tags": ["colour: green"]}


SHOPIFY_ORDERS = b"""Name,Email,Financial Status,Paid at,Currency,Total,Created at,\
Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Cancelled at,Id
#1001,ann@a.de,paid,2026-02-01 10:00:01 +0100,EUR,24.00,2026-02-01 10:00:00 +0100,2,Mug - Red,6.00,MUG-R,,1
#1001,ann@a.de,,,,,,1,"Tea, green",12.00,TEA,,
#1002,bob@a.de,refunded,2026-02-02 10:00:01 +0100,EUR,6.00,2026-02-02 10:00:00 +0100,1,Mug - Red,6.00,MUG-R,,2
#1002,bob@a.de,,,,,,1,Mug - Blue,6.50,MUG-B,,
#1003,cat@a.de,partially_refunded,,EUR,6.50,2026-02-03 10:00:00 +0100,1,Mug - Blue,6.50,MUG-B,,3
#1004,dan@a.de,paid,,EUR,6.50,2026-02-04 10:00:00 +0100,1,Mug - Blue,6.50,MUG-B,2026-02-05 10:00:00 +0100,4
#1005,,paid,,EUR,6.50,2026-02-04 10:00:00 +0100,1,Mug - Blue,6.50,MUG-B,,5
"""
SHOPIFY_PRODUCTS = b"""Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,\
Option1 Value,Variant SKU,\
Variant Price,Image Src,Status
mug,Mug,<p>Holds <b>tea</b> &amp; coffee.</p>,Potter,Cups,"kitchen, gift",true,Colour,Red,MUG-R,\
6.00,x/1.png,active
mug,,,,,,,,Blue,MUG-B,6.50,,
mug,,,,,,,,,,,x/2.png,
tea,"Tea, green",Leaves,Grower,Tea,,true,Title,Default Title,TEA,12.00,,active
old,Old pot,,Potter,Cups,,false,Title,Default Title,POT,20.00,,archived
"""


def test_shopify_orders(tmp_path: Path) -> None:
    imported, events = run(tmp_path, "shopify-orders", **{"orders_export_1.csv": SHOPIFY_ORDERS})
    assert kinds(events) == [
        ("ann@a.de", "MUG-R", "purchase"),
        ("ann@a.de", "TEA", "purchase"),
        ("cat@a.de", "MUG-B", "purchase"),
    ]
    mug = events[0]
    assert mug["at"] == datetime(2026, 2, 1, 9, tzinfo=UTC)  # ten in +01:00
    assert (mug["session_id"], mug["quantity_thousandths"], mug["value_micros"]) == (
        "#1001",
        2000,
        12_000_000,
    )
    assert events[1]["at"] == mug["at"]  # the second line has its order's instant
    counts = imported.report["events"]
    assert counts["reasons"] == {"refunded_order": 2, "cancelled_order": 1, "missing_user": 1}
    assert items(imported)["TEA"]["title"] == "Tea, green"
    assert items(imported)["MUG-B"]["price_micros"] == 6_500_000


def test_shopify_products(tmp_path: Path) -> None:
    files = {"orders_export_1.csv": SHOPIFY_ORDERS, "products_export_1.csv": SHOPIFY_PRODUCTS}
    imported, events = run(tmp_path, "shopify-products", **files)
    assert kinds(events) == [
        ("ann@a.de", "mug", "purchase"),
        ("ann@a.de", "tea", "purchase"),
        ("cat@a.de", "mug", "purchase"),
    ]
    mug = items(imported)["mug"]
    assert mug["title"] == "Mug"
    assert mug["text"] == "Mug. Cups. Holds tea & coffee."
    assert (mug["category"], mug["brand"], mug["price_micros"]) == ("Cups", "Potter", 6_500_000)
    assert json.loads(mug["attributes"])["tags"] == ["kitchen", "gift"]
    assert {name: row["available"] for name, row in items(imported).items()} == {
        "mug": True,
        "tea": True,
        "old": False,
    }
    assert imported.report["joined"]["rows"] == 5


def test_woocommerce(tmp_path: Path) -> None:
    lines = b"""order_item_id,order_id,product_id,variation_id,customer_id,date_created,product_qty,\
product_net_revenue
1,100,7,71,5,2026-02-01 11:00:00,2,20
2,100,8,0,5,2026-02-01 11:00:00,1,4.5
3,101,7,72,6,2026-02-02 11:00:00,1,10
4,102,7,71,5,2026-02-03 11:00:00,-1,-10
5,103,8,0,6,2026-02-03 11:00:00,0,-1
6,999,8,0,6,2026-02-03 11:00:00,1,4.5
7,104,8,0,NULL,2026-02-03 11:00:00,1,4.5
"""
    orders = b"""order_id,parent_id,date_created,date_created_gmt,status,customer_id
100,0,2026-02-01 11:00:00,2026-02-01 10:00:00,wc-completed,5
101,0,2026-02-02 11:00:00,2026-02-02 10:00:00,wc-cancelled,6
102,100,2026-02-03 11:00:00,2026-02-03 10:00:00,wc-completed,5
103,100,2026-02-03 11:00:00,2026-02-03 10:00:00,wc-completed,6
104,0,2026-02-03 11:00:00,2026-02-03 10:00:00,wc-completed,0
"""
    products = b"""ID,Type,SKU,Name,Published,Short description,Description,In stock?,Regular price,\
Categories,Tags,Parent
7,variable,shirt,Shirt,1,Soft.,<p>Of cotton</p>,1,,"Clothes > Shirts, Sale",soft,
71,variation,shirt-s,Shirt - S,1,,,1,10,,,id:7
8,simple,cap,Cap,1,,,0,4.5,Clothes,,
"""
    files = {
        "wp_wc_order_product_lookup.csv": lines,
        "wp_wc_order_stats.csv": orders,
        "wc-product-export-1-2-2026.csv": products,
    }
    imported, events = run(tmp_path, "woocommerce", **files)
    assert kinds(events) == [("5", "7", "purchase"), ("5", "8", "purchase")]
    shirt = events[0]
    assert shirt["at"] == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert (shirt["quantity_thousandths"], shirt["value_micros"]) == (
        1000,
        10_000_000,
    )  # two bought, one back
    reasons = imported.report["events"]["reasons"]
    assert {
        name: reasons[name] for name in ("unpaid_order", "no_quantity", "unknown_key", "missing_user")
    } == {
        "unpaid_order": 1,
        "no_quantity": 1,
        "unknown_key": 1,
        "missing_user": 1,
    }
    found = items(imported)
    assert set(found) == {"7", "8"}
    assert found["7"]["text"] == "Shirt. Soft. Of cotton"
    assert found["7"]["category"] == "Clothes > Shirts"
    assert found["7"]["category_path"] == "Clothes/Shirts"
    assert (found["7"]["available"], found["8"]["available"]) == (True, False)


GA4: list[dict[str, Any]] = [
    {
        "event_timestamp": 1769940000000000,  # 2026-02-01 10:00 UTC
        "event_name": "view_item",
        "user_pseudo_id": "1.2",
        "items": [{"item_id": "mug", "item_name": "Mug", "item_category": "Cups", "price": 6.5}],
    },
    {"event_timestamp": 1769940001000000, "event_name": "page_view", "user_pseudo_id": "1.2", "items": []},
    {
        "event_timestamp": 1769940060000000,
        "event_name": "purchase",
        "user_pseudo_id": "1.2",
        "ecommerce": {"transaction_id": "t1"},
        "items": [
            {"item_id": "mug", "item_name": "Mug", "item_category": "Cups", "price": 6.5, "quantity": 2},
            {
                "item_id": "tea",
                "item_name": "Tea",
                "item_category": "(not set)",
                "price": 12.0,
                "quantity": 1,
            },
        ],
    },
]


def test_ga4_bigquery(tmp_path: Path) -> None:
    lines = "".join(
        json.dumps(event | {"event_timestamp": str(event["event_timestamp"])}) + "\n" for event in GA4
    )
    for name, folder in (("events_20260201.json", "json"), ("events_000000000000.parquet", "parquet")):
        content = lines.encode()
        if folder == "parquet":
            pq.write_table(pa.Table.from_pylist(GA4[::-1]), tmp_path / name)  # the last has all columns
            content = (tmp_path / name).read_bytes()
        (tmp_path / folder).mkdir()
        imported, events = run(tmp_path / folder, "ga4-bigquery", **{name: content})
        events.sort(key=lambda row: (row["at"], row["item_id"]))
        assert kinds(events) == [
            ("1.2", "mug", "view"),
            ("1.2", "mug", "purchase"),
            ("1.2", "tea", "purchase"),
        ]
        assert events[0]["at"] == datetime(2026, 2, 1, 10, tzinfo=UTC)
        assert [row["session_id"] for row in events] == [None, "t1", "t1"]
        assert [row["value_micros"] for row in events] == [6_500_000, 13_000_000, 12_000_000]
        assert imported.report["events"]["reasons"] == {"unknown_kind": 1}
        assert items(imported)["mug"]["category_path"] == "Cups"
        tea = items(imported)["tea"]
        assert (tea["title"], tea["category"], tea["price_micros"]) == ("Tea", None, 12_000_000)
