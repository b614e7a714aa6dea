"""What was known of a household and a campaign before the campaign began: the columns of the response set."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import svds

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape

from .response_set import Exposures, ResponseTables

WIDTH = 16  # of the vectors
RECENT, SEASON = 28, 84  # days
_TRAITS = (
    "age",
    "income",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_comp",
    "kids_count",
)
_SHARES = ("matching_coupons_share", "category_spend_share", "redeemed_share", "type_redeemed_share")


@dataclass(frozen=True, eq=False)
class _Lines:
    """Receipt lines before one instant, of households by their place 0 to H - 1.

    Attributes:
        age: days before the instant. product: the line's row among the products.
    """

    household: IntArray
    basket: IntArray
    product: IntArray
    age: DoubleArray
    spend: DoubleArray
    discount: DoubleArray
    coupon: DoubleArray
    matched: DoubleArray
    households: int

    def total(self, values: DoubleArray | BoolArray, where: BoolArray | None = None) -> DoubleArray:
        """(H,) the sum of (lines,) values of each household, `where` alone."""
        weights = values if where is None else values * where
        sums = np.bincount(self.household, np.asarray(weights, np.float64), self.households)
        return np.asarray(sums, np.float64)

    def distinct(self, values: IntArray, where: BoolArray) -> DoubleArray:
        """(H,) how many different values each household has."""
        pairs = np.unique(np.stack([self.household[where], values[where]], 1), axis=0)
        return np.bincount(pairs[:, 0], minlength=self.households).astype(np.float64)


def response_impressions(tables: ResponseTables, exposures: Exposures) -> tuple[Impressions, CtrShape]:
    """The exposures as impressions: a request each, without slots, surfaces and history.

    Numbers and vectors of a row depend on nothing from its instant on. Vectors are of product types, from
    what was bought together before the first scored campaign; P_u is the mean of what the household
    bought before the instant, P_m that of the campaign's products.
    """
    catalog = _Catalog.of(tables)
    vectors = catalog.vectors(tables, exposures.start[exposures.scored].min())
    numbers: dict[str, DoubleArray] = {}
    user_vectors = np.zeros((len(exposures), WIDTH))
    item_vectors = np.zeros((int(exposures.campaign.max()) + 1, WIDTH))
    for campaign in np.unique(exposures.campaign).tolist():
        rows = np.flatnonzero(exposures.campaign == campaign)
        households, start = exposures.household[rows], exposures.start[rows[0]]
        lines = _lines_before(tables, catalog, households, start)
        found = _habits(lines) | _overlap(lines, catalog, tables, campaign)
        found |= _earlier_campaigns(tables, campaign, households, start)
        for name, values in found.items():
            numbers.setdefault(name, np.zeros(len(exposures)))[rows] = values
        user_vectors[rows] = _unit(catalog.type_counts(lines) @ vectors)
        item_vectors[campaign] = _unit(vectors[catalog.type[catalog.offered(tables, campaign)]].sum(0))
    categories, sizes = _traits(tables, exposures)
    impressions = Impressions(
        request=np.arange(len(exposures)),
        item=exposures.campaign,
        slot=np.zeros(len(exposures), np.int64),
        numbers=np.stack(list(numbers.values()), 1).astype(np.float32),
        categories=categories,
        clicked=exposures.redeemed,
        converted=np.zeros(len(exposures), bool),
        user=exposures.household,
        surface=np.zeros(len(exposures), np.int64),
        user_vectors=user_vectors.astype(np.float32),
        item_vectors=item_vectors.astype(np.float32),
        query_vectors=np.zeros((len(exposures), 0), np.float32),
        history=np.zeros((len(exposures), 1), np.int64),
        history_kinds=np.zeros((len(exposures), 1), np.int64),
    )
    shape = CtrShape(
        numbers=tuple(numbers),
        logarithm=tuple(name for name in numbers if name not in _SHARES),
        categories=sizes,
        items=len(item_vectors) - 1,
        vector=WIDTH,
        kinds=2,
        history=1,
    )
    return impressions, shape


@dataclass(frozen=True, eq=False)
class _Catalog:
    """Products by row; `type` and `category` are codes, 0 = none."""

    product: IntArray
    type: IntArray
    category: IntArray

    @classmethod
    def of(cls, tables: ResponseTables) -> "_Catalog":
        products = tables.products.sort_values("product_id")
        codes = [pd.factorize(products[name])[0] + 1 for name in ("product_type", "product_category")]
        return cls(products["product_id"].to_numpy(np.int64), *codes)

    def rows(self, products: IntArray) -> IntArray:
        """The row of each product; those that the catalog lacks get row 0."""
        places = np.minimum(np.searchsorted(self.product, products), len(self.product) - 1)
        return np.where(self.product[places] == products, places, 0)

    def offered(self, tables: ResponseTables, campaign: int) -> IntArray:
        """Rows of the products that a campaign's coupons are for."""
        coupons = tables.coupons
        return np.unique(self.rows(coupons["product_id"][coupons["campaign_id"] == campaign].to_numpy()))

    def type_counts(self, lines: _Lines) -> sparse.csr_matrix:
        """(H, types) log(1 + lines) of each household and product type."""
        shape = (lines.households, int(self.type.max()) + 1)
        ones = np.ones(len(lines.household))
        return sparse.csr_matrix((ones, (lines.household, self.type[lines.product])), shape).log1p()

    def vectors(self, tables: ResponseTables, before: np.datetime64) -> DoubleArray:
        """(types, WIDTH) of product types by which households bought them before an instant."""
        households = np.unique(tables.transactions["household_id"])
        counts = self.type_counts(_lines_before(tables, self, households, before))
        buyers = np.asarray((counts > 0).sum(0)).ravel()
        weight = np.log((1 + len(households)) / (1 + buyers))
        weighted = counts.multiply(weight).tocsr()
        _, _, right = svds(weighted, k=min(WIDTH, min(weighted.shape) - 1), v0=np.ones(min(weighted.shape)))
        found = np.zeros((len(weight), WIDTH))
        found[:, : len(right)] = right.T * weight[:, None]
        return found


def _lines_before(
    tables: ResponseTables, catalog: _Catalog, households: IntArray, start: np.datetime64
) -> _Lines:
    """The lines of `households`, which are sorted, strictly before an instant."""
    table = tables.transactions
    own = (table["transaction_timestamp"] < start) & table["household_id"].isin(households)
    table = table[own]
    money = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
    spend, discount, coupon, matched = (table[name].to_numpy(np.float64) for name in money)
    return _Lines(
        np.searchsorted(households, table["household_id"].to_numpy()),
        table["basket_id"].to_numpy(np.int64),
        catalog.rows(table["product_id"].to_numpy(np.int64)),
        _days_before(start, table["transaction_timestamp"]),
        spend,
        discount,
        coupon,
        matched,
        len(households),
    )


def _habits(lines: _Lines) -> dict[str, DoubleArray]:
    """What the households buy, how often, and how much of it with coupons; (H,) each."""
    recent, season = lines.age < RECENT, lines.age < SEASON
    last = np.full(lines.households, np.inf)
    np.minimum.at(last, lines.household, lines.age)
    with_coupon = lines.coupon > 0
    return {
        "spend_28": lines.total(lines.spend, recent),
        "spend_84": lines.total(lines.spend, season),
        "baskets_28": lines.distinct(lines.basket, recent),
        "baskets_84": lines.distinct(lines.basket, season),
        "lines": lines.total(np.ones(len(lines.age))),
        "days_since_purchase": np.where(np.isfinite(last), last, np.nan),
        "discount_84": lines.total(lines.discount, season),
        "coupon_lines_28": lines.total(with_coupon, recent),
        "coupon_lines_84": lines.total(with_coupon, season),
        "coupon_lines": lines.total(with_coupon),
        "coupon_value": lines.total(lines.coupon),
        "matched_value": lines.total(lines.matched),
    }


def _overlap(
    lines: _Lines, catalog: _Catalog, tables: ResponseTables, campaign: int
) -> dict[str, DoubleArray]:
    """What the households bought of what the campaign's coupons are for; (H,) each."""
    offered = catalog.offered(tables, campaign)
    codes = {kind: getattr(catalog, kind)[offered] for kind in ("type", "category")}
    product = np.isin(lines.product, offered)
    of_type, of_category = (
        np.isin(getattr(catalog, kind)[lines.product], known[known > 0]) for kind, known in codes.items()
    )
    recent, season = lines.age < RECENT, lines.age < SEASON
    coupons = tables.coupons[tables.coupons["campaign_id"] == campaign]
    pairs = pd.DataFrame({"household": lines.household[product], "product": lines.product[product]})
    known = pd.DataFrame(
        {"product": catalog.rows(coupons["product_id"].to_numpy()), "coupon": coupons["coupon_upc"]}
    )
    matching = pairs.drop_duplicates().merge(known, on="product")[["household", "coupon"]].drop_duplicates()
    matched = np.bincount(matching["household"], minlength=lines.households).astype(np.float64)
    everything = np.ones(lines.households)
    number = coupons["coupon_upc"].nunique()
    category_spend = lines.total(lines.spend, of_category & season)
    return {
        "product_spend_28": lines.total(lines.spend, product & recent),
        "product_spend_84": lines.total(lines.spend, product & season),
        "product_lines_28": lines.total(product, recent),
        "product_lines": lines.total(product),
        "products_bought": lines.distinct(lines.product, product),
        "type_spend_28": lines.total(lines.spend, of_type & recent),
        "type_lines": lines.total(of_type),
        "category_spend_28": lines.total(lines.spend, of_category & recent),
        "category_spend_84": category_spend,
        "category_spend_share": category_spend / (lines.total(lines.spend, season) + 1),
        "matching_coupons": matched,
        "matching_coupons_share": matched / max(number, 1),
        "coupons": everything * number,
        "products": everything * len(offered),
    }


def _earlier_campaigns(
    tables: ResponseTables, campaign: int, households: IntArray, start: np.datetime64
) -> dict[str, DoubleArray]:
    """What the households made of earlier campaigns, and what this one is; (H,) each."""
    described = tables.campaign_descriptions.set_index("campaign_id")
    own = described.loc[campaign]
    sent = tables.campaigns.join(described, on="campaign_id")
    sent = sent[sent["start_date"] < start]
    redeemed = tables.coupon_redemptions[tables.coupon_redemptions["redemption_date"] < start]
    first = redeemed.drop_duplicates(["household_id", "campaign_id"]).join(described, on="campaign_id")
    late = redeemed["redemption_date"] >= start - np.timedelta64(60, "D")
    same_sent = sent[sent["campaign_type"] == own["campaign_type"]]
    same_redeemed = first[first["campaign_type"] == own["campaign_type"]]

    def count(table: pd.DataFrame) -> DoubleArray:
        sizes = table.groupby("household_id").size()
        return np.asarray(sizes.reindex(households, fill_value=0), np.float64)

    latest = redeemed.groupby("household_id")["redemption_date"].max().reindex(households)
    received, answered = count(sent), count(first)
    everyone = np.ones(len(households))
    return {
        "coupons_redeemed": count(redeemed),
        "coupons_redeemed_60": count(redeemed[late]),
        "campaigns_redeemed": answered,
        "campaigns_received": received,
        "campaigns_running": count(sent[sent["end_date"] >= start]),
        "redeemed_share": (answered + 0.3) / (received + 3),
        "days_since_redemption": _days_before(start, latest),
        "same_type_redeemed": count(same_redeemed),
        "same_type_received": count(same_sent),
        "type_redeemed_share": everyone * (len(same_redeemed) + 2) / (len(same_sent) + 20),
        "households": everyone * len(households),
        "days": everyone * (own["end_date"] - own["start_date"]).days,
    }


def _traits(tables: ResponseTables, exposures: Exposures) -> tuple[IntArray, tuple[tuple[str, int], ...]]:
    """(E, C) codes of what households told of themselves and of the campaign's type, 0 = unknown."""
    people = tables.demographics.set_index("household_id").reindex(exposures.household)
    described = tables.campaign_descriptions.set_index("campaign_id")
    columns = {name: people[name].astype(object) for name in _TRAITS if name in people}
    columns["campaign_type"] = described["campaign_type"].reindex(exposures.campaign).astype(object)
    codes = {name: pd.factorize(values, sort=True)[0] + 1 for name, values in columns.items()}
    sizes = tuple((name, int(each.max()) + 1) for name, each in codes.items())
    return np.stack(list(codes.values()), 1).astype(np.int64), sizes


def _days_before(start: np.datetime64, times: "pd.Series[pd.Timestamp]") -> DoubleArray:
    """(n,) days from each time to `start`, NaN where there is none."""
    return np.asarray((pd.Timestamp(start) - times).dt.total_seconds() / 86400, np.float64)


def _unit(rows: DoubleArray) -> FloatArray:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(np.where(norms > 0, rows / np.maximum(norms, 1e-12), 0.0), np.float32)
