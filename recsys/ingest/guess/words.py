"""The words by which shops name columns, files and kinds of event, in English and Chinese."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from recsys import columns

USER = "user"
ITEM = "item"
TIME = "time"

# Column names without blanks and marks, the surest first. Names of one table kind only.
IDS: Mapping[str, tuple[str, ...]] = {
    USER: (
        *("userid", "user", "uid", "customerid", "customer", "custid", "visitorid", "visitor", "memberid"),
        *("member", "clientid", "client", "buyerid", "buyer", "shopperid", "shopper", "accountid", "account"),
        *("householdid", "household", "reviewerid", "personid", "person", "username", "fullvisitorid"),
        *("customernumber", "customerno", "customercode", "customerkey", "userkey", "usernumber"),
        *("用户id", "用户编号", "用户", "会员id", "会员编号", "会员", "客户id", "客户编号", "客户", "顾客id"),
        *("顾客", "买家id", "买家", "deviceid", "cookieid", "sessionuser", "customeremail", "useremail"),
    ),
    ITEM: (
        *("itemid", "item", "productid", "product", "prodid", "sku", "skuid", "articleid", "article"),
        *("goodsid", "goods", "variantid", "asin", "parentasin", "isbn", "stockcode", "productcode"),
        *("itemcode", "itemno", "itemnumber", "productno", "productnumber", "productkey", "productsku"),
        *("articlenumber", "articleno", "ean", "upc", "gtin", "movieid", "bookid", "gameid", "trackid"),
        *("songid", "videoid", "contentid", "商品id", "商品编号", "商品编码", "商品", "产品id", "产品编号"),
        *("产品", "物品id", "物品", "货号", "宝贝id", "宝贝"),
    ),
}
EVENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    TIME: (
        *("timestamp", "eventtime", "eventtimestamp", "eventat", "eventdate", "time", "ts", "datetime", "at"),
        *("createdat", "createdtime", "createtime", "orderedat", "ordertime", "orderdate", "orderedon"),
        *("purchasedate", "purchasedat", "purchasetime", "transactiondate", "transactiontime"),
        *("transactiontimestamp", "invoicedate", "unixreviewtime", "reviewtime", "visittime", "paidat"),
        *(
            "paymenttime",
            "date",
            "day",
            "when",
            "时间戳",
            "时间",
            "行为时间",
            "事件时间",
            "下单时间",
            "下单日期",
        ),
        *("购买时间", "购买日期", "订单时间", "订单日期", "创建时间", "支付时间", "发生时间", "日期"),
    ),
    "kind": (
        *("event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviour", "behaviortype"),
        *("behaviourtype", "interaction", "interactiontype", "activity", "kind", "type", "verb"),
        *("行为类型", "行为", "事件类型", "事件", "操作类型", "操作", "动作", "类型"),
    ),
    "session": (
        *("sessionid", "session", "usersession", "visitid", "orderid", "orderno", "ordernumber", "order"),
        *("basketid", "basket", "cartid", "transactionid", "invoiceno", "invoiceid", "invoice", "receiptid"),
        *("会话id", "会话", "订单号", "订单编号", "订单id", "订单"),
    ),
    "quantity": ("quantity", "qty", "units", "pieces", "itemcount", "数量", "件数", "购买数量", "商品数量"),
    "line_value": (
        *("amount", "total", "lineamount", "linetotal", "subtotal", "revenue", "salesvalue", "sales"),
        *("totalprice", "value", "spend", "paid", "金额", "总价", "总金额", "实付金额", "支付金额", "销售额"),
    ),
    "unit_value": (
        *("unitprice", "price", "itemprice", "productprice", "priceeach", "saleprice", "pricecents"),
        *("单价", "价格", "售价", "商品价格"),
    ),
    "query": ("query", "searchterm", "searchquery", "searchtext", "keyword", "keywords", "搜索词", "关键词"),
    "event_id": ("eventid", "lineid", "orderitemid", "orderlineid", "rowid", "logid", "事件id", "流水号"),
    "position": ("position", "rank", "listposition", "位置", "排名"),
    "rating": ("rating", "overall", "stars", "score", "评分", "星级", "打分"),
}
ITEM_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "title": (
        *("title", "name", "productname", "itemname", "producttitle", "itemtitle", "productdisplayname"),
        *(
            "displayname",
            "label",
            "商品名称",
            "商品名",
            "产品名称",
            "产品名",
            "标题",
            "商品标题",
            "名称",
            "品名",
        ),
    ),
    "description": (
        *("description", "desc", "productdescription", "itemdescription", "longdescription", "body"),
        *("bodyhtml", "details", "summary", "overview", "描述", "商品描述", "产品描述", "详情", "简介"),
    ),
    "category": (
        *("category", "categories", "categoryname", "productcategory", "categorycode", "maincategory"),
        *("department", "producttype", "genres", "genre", "group", "productgroup", "type", "section"),
        *("categoryid", "类目", "商品类目", "分类", "商品分类", "品类", "类别", "类型"),
    ),
    "category_path": (
        *("categorypath", "categorytree", "categoryhierarchy", "fullcategory", "breadcrumb", "breadcrumbs"),
        *("googleproductcategory", "taxonomy", "类目路径", "分类路径", "完整类目"),
    ),
    "product_id": (
        *(
            "itemgroupid",
            "productgroupid",
            "groupid",
            "parentid",
            "parentsku",
            "parentproductid",
            "parentasin",
        ),
        *("parentitem", "parent", "masterid", "styleid", "stylecode", "modelid", "spu", "spuid", "productid"),
        *("handle", "商品组id", "款号", "主商品id"),
    ),
    "first_at": (
        *("firstat", "firstavailable", "datefirstavailable", "launchdate", "launchedat", "releasedate"),
        *("publishedat", "listedat", "onsaledate", "dateadded", "addedat", "createdat", "datecreated"),
        *("creationdate", "上架时间", "上架日期", "发布时间", "创建时间"),
    ),
    "brand": ("brand", "brandname", "manufacturer", "vendor", "maker", "品牌", "厂商", "制造商"),
    "price": (
        *("price", "unitprice", "saleprice", "listprice", "retailprice", "currentprice", "itemprice"),
        *("productprice", "pricecents", "价格", "售价", "单价", "现价", "商品价格"),
    ),
    "stock": (
        "stock",
        "inventory",
        "stockquantity",
        "inventoryquantity",
        "quantity",
        "qty",
        "库存",
        "库存数量",
    ),
    "available": ("available", "instock", "availability", "active", "isactive", "published", "是否上架"),
}
PLAIN_IDS = ("id", "code", "handle", "key", "编号", "编码", "代码")
# Told by a shop's users in confidence, or of no use: not proposed as attributes.
PERSONAL = (
    *("name", "firstname", "lastname", "fullname", "surname", "email", "mail", "phone", "mobile", "address"),
    *("street", "password", "passwd", "ssn", "birthdate", "birthday", "dateofbirth", "ip", "ipaddress"),
    *("姓名", "名字", "邮箱", "电话", "手机", "手机号", "地址", "密码", "身份证", "生日", "昵称", "nickname"),
)
LINKS = ("url", "link", "image", "img", "picture", "photo", "thumbnail", "href", "图片", "链接")

FILES: Mapping[str, tuple[str, ...]] = {
    "items": (
        *("product", "item", "catalog", "goods", "article", "sku", "inventory", "movie", "book", "game"),
        *("商品", "产品", "物品", "货品"),
    ),
    "users": (
        "user",
        "customer",
        "member",
        "visitor",
        "household",
        "demographic",
        "用户",
        "客户",
        "会员",
        "顾客",
    ),
    "orders": ("order", "invoice", "basket", "transaction", "receipt", "订单"),
}
FILE_KINDS: Mapping[str, tuple[str, ...]] = {
    columns.PURCHASE: (
        *("order", "purchase", "transaction", "sale", "invoice", "basket", "receipt", "retail"),
        *("订单", "购买", "成交", "销售"),
    ),
    columns.CART: ("cart", "加购", "购物车"),
    columns.LIKE: ("like", "favorite", "favourite", "wish", "收藏"),
    columns.CLICK: ("click", "点击"),
    columns.IMPRESSION: ("impression", "exposure", "曝光"),
    columns.SEARCH: ("search", "搜索"),
    columns.VIEW: ("view", "visit", "browse", "浏览"),
}
KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    columns.VIEW: (
        *("view", "views", "viewed", "pageview", "pv", "productview", "itemview", "viewitem", "viewproduct"),
        *("detail", "detailview", "productdetail", "browse", "browsed", "visit", "open", "read", "watch"),
        *("play", "浏览", "查看", "访问", "观看"),
    ),
    columns.CLICK: ("click", "clicks", "clicked", "clk", "tap", "selectitem", "itemclick", "点击"),
    columns.CART: (
        *("cart", "addtocart", "add2cart", "addcart", "atc", "basket", "addtobasket", "addtobag"),
        *("加购", "加购物车", "加入购物车", "购物车"),
    ),
    columns.PURCHASE: (
        *("purchase", "purchased", "buy", "bought", "order", "ordered", "ordercompleted", "orderplaced"),
        *("transaction", "pay", "paid", "payment", "sale", "sold", "购买", "下单", "支付", "成交", "付款"),
    ),
    columns.LIKE: (
        *("like", "liked", "fav", "favorite", "favourite", "wishlist", "addtowishlist", "wish", "bookmark"),
        *("collect", "save", "love", "收藏", "点赞", "喜欢"),
    ),
    columns.CANCEL: (
        "cancel",
        "cancelled",
        "canceled",
        "refund",
        "refunded",
        "return",
        "returned",
        "退货",
        "退款",
    ),
    columns.SEARCH: ("search", "searched", "viewsearchresults", "搜索", "检索"),
    columns.IMPRESSION: ("impression", "imp", "expose", "exposure", "shown", "viewitemlist", "曝光", "展示"),
}
NOT_FOR_SALE = (
    *("false", "0", "no", "n", "f", "outofstock", "soldout", "discontinued", "inactive", "unavailable"),
    *("否", "下架", "缺货", "无货", "已下架"),
)


def compact(name: str) -> str:
    """A name without blanks, marks and upper case.

    >>> compact("Customer ID"), compact("reviewerID"), compact("商品 编号")
    ('customerid', 'reviewerid', '商品编号')
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


def columns_named(names: Iterable[str], words: Iterable[str]) -> list[str]:
    """Those of `names` that are one of `words`, in the order of `words`.

    A path such as `customer.id` is its words together.

    >>> columns_named(["Price", "SKU", "product_id"], ("productid", "sku"))
    ['product_id', 'SKU']
    """
    known: dict[str, list[str]] = {}
    for name in names:
        known.setdefault(compact(name), []).append(name)
    return [name for word in words for name in known.get(word, ())]


def says(file: str, words: Iterable[str]) -> bool:
    """Whether the name of a file, without its ending, has one of `words` in it."""
    stem = compact(re.sub(r"\.[A-Za-z0-9.]+$", "", file.rsplit("/", 1)[-1]))
    return any(word in stem for word in words)


def known_event_kind(value: str) -> str | None:
    """The kind of event that a shop's word means, None where it is unknown.

    >>> known_event_kind("Add to cart"), known_event_kind("加入购物车"), known_event_kind("3")
    ('cart', 'cart', None)
    """
    word = compact(value)
    return next((kind for kind, words in KIND_WORDS.items() if word in words), None)
