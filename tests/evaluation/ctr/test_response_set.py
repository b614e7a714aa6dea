"""The household response set: its counts, and that nothing from an instant on is known at that instant."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.jobs.data.demo import installed_demo
from recsys.models.ctr.impressions import Impressions
from scripts.benchmarks.ads.response_features import response_impressions
from scripts.benchmarks.ads.response_set import Exposures, ResponseTables, find_exposures, read_tables

HOUSEHOLDS, PRODUCTS = 30, 40
STARTS = {1: "2017-03-01", 2: "2017-06-01", 3: "2017-10-15", 21: "2017-12-06"}


def small_tables(seed: int = 0) -> ResponseTables:
    """Four campaigns of a made-up year, with the columns of the package."""
    rng = np.random.default_rng(seed)
    described = pd.DataFrame(
        {
            "campaign_id": list(STARTS),
            "campaign_type": ["Type A", "Type B", "Type A", "Type B"],
            "start_date": pd.to_datetime(list(STARTS.values())),
            "end_date": pd.to_datetime(list(STARTS.values())) + pd.Timedelta(days=32),
        }
    )
    sent = pd.DataFrame(
        [(campaign, household) for campaign in STARTS for household in range(1, HOUSEHOLDS + 1)],
        columns=["campaign_id", "household_id"],
    )
    lines, redemptions = 3000, 60
    year = pd.Timestamp("2017-01-01")
    return ResponseTables(
        sent,
        described,
        pd.DataFrame(
            {
                "coupon_upc": rng.integers(1, 12, 80),
                "product_id": rng.integers(1, PRODUCTS + 1, 80),
                "campaign_id": rng.choice(list(STARTS), 80),
            }
        ),
        pd.DataFrame(
            {
                "household_id": rng.integers(1, HOUSEHOLDS + 1, redemptions),
                "coupon_upc": rng.integers(1, 12, redemptions),
                "campaign_id": rng.choice(list(STARTS), redemptions),
                "redemption_date": year + pd.to_timedelta(rng.integers(60, 360, redemptions), unit="D"),
            }
        ),
        pd.DataFrame(
            {
                "household_id": rng.integers(1, HOUSEHOLDS + 1, lines),
                "basket_id": rng.integers(1, 900, lines),
                "product_id": rng.integers(1, PRODUCTS + 1, lines),
                "sales_value": rng.uniform(1, 9, lines),
                "retail_disc": rng.uniform(0, 1, lines),
                "coupon_disc": np.where(rng.random(lines) < 0.1, 0.5, 0.0),
                "coupon_match_disc": 0.0,
                "transaction_timestamp": year + pd.to_timedelta(rng.uniform(0, 360, lines), unit="D"),
            }
        ),
        pd.DataFrame(
            {
                "product_id": np.arange(1, PRODUCTS + 1),
                "product_type": [f"type {each % 20}" for each in range(PRODUCTS)],
                "product_category": [f"category {each % 7}" for each in range(PRODUCTS)],
            }
        ),
        pd.DataFrame({"household_id": [1, 2], "age": ["35-44", "65+"], "income": ["25-34K", None]}),
    )


def shuffled_from(tables: ResponseTables, instant: pd.Timestamp) -> ResponseTables:
    """Whatever happened from `instant` on happens to somebody else, to another product, at another price."""
    rng = np.random.default_rng(1)

    def shuffle(table: pd.DataFrame, time: str, columns: list[str]) -> pd.DataFrame:
        later = np.flatnonzero(table[time] >= instant)
        changed = table.copy()
        for column in columns:
            changed.iloc[later, changed.columns.get_loc(column)] = table[column].to_numpy()[
                rng.permutation(later)
            ]
        return changed

    bought = ["household_id", "basket_id", "product_id", "sales_value", "coupon_disc"]
    redeemed = ["household_id", "campaign_id", "coupon_upc"]
    return replace(
        tables,
        transactions=shuffle(tables.transactions, "transaction_timestamp", bought),
        coupon_redemptions=shuffle(tables.coupon_redemptions, "redemption_date", redeemed),
    )


def columns_of(impressions: Impressions, rows: np.ndarray) -> list[np.ndarray]:
    own = impressions.take(np.flatnonzero(rows))
    vectors = impressions.user_vectors[rows], impressions.item_vectors[own.item]
    return [own.numbers, own.categories, *vectors]


def assert_no_leak(tables: ResponseTables, exposures: Exposures, campaign: int) -> None:
    start = pd.Timestamp(exposures.start[exposures.campaign == campaign][0])
    changed = shuffled_from(tables, start)
    assert not changed.transactions.equals(tables.transactions)
    rows = exposures.campaign == campaign
    before, after = (response_impressions(each, exposures)[0] for each in (tables, changed))
    for column, other in zip(columns_of(before, rows), columns_of(after, rows), strict=True):
        np.testing.assert_array_equal(column, other)


@pytest.mark.parametrize("campaign", [1, 2, 3])
def test_shuffling_what_comes_after_the_instant_changes_no_feature(campaign: int) -> None:
    tables = small_tables()
    assert_no_leak(tables, find_exposures(tables), campaign)


def test_features_of_a_later_campaign_do_change_so_that_the_shuffle_is_one() -> None:
    tables = small_tables()
    exposures = find_exposures(tables)
    changed = shuffled_from(tables, pd.Timestamp(STARTS[2]))
    rows = exposures.campaign == 3
    before, after = (response_impressions(each, exposures)[0] for each in (tables, changed))
    assert not np.array_equal(before.numbers[rows], after.numbers[rows], equal_nan=True)


def test_a_redemption_on_day_28_is_too_late_and_one_on_the_first_day_counts() -> None:
    tables = small_tables()
    dates = pd.to_datetime(["2017-03-01", "2017-03-28", "2017-03-29", "2017-02-28"])
    redeemed = pd.DataFrame(
        {"household_id": [1, 2, 3, 4], "coupon_upc": 1, "campaign_id": 1, "redemption_date": dates}
    )
    exposures = find_exposures(replace(tables, coupon_redemptions=redeemed))
    positive = exposures.household[exposures.redeemed & (exposures.campaign == 1)]
    assert positive.tolist() == [1, 2]


def test_campaigns_21_to_26_are_there_and_not_scored() -> None:
    exposures = find_exposures(small_tables())
    assert not exposures.scored[exposures.campaign == 21].any()
    assert sorted(set(exposures.campaign[exposures.is_train].tolist())) == [1, 2]
    assert set(exposures.campaign[exposures.is_test].tolist()) == {3}


def test_columns_are_what_they_say() -> None:
    """One household, two baskets before the campaign; a coupon's product is in one of them."""
    tables = small_tables()
    times = pd.to_datetime(["2017-02-26", "2017-01-15", "2017-03-02"])
    lines = tables.transactions.head(3).assign(
        household_id=1,
        basket_id=[1, 2, 3],
        product_id=[5, 6, 5],
        sales_value=[2.0, 3.0, 50.0],
        coupon_disc=[0.5, 0.0, 9.0],
        transaction_timestamp=times,
    )
    others = tables.transactions[tables.transactions["household_id"] > 1]
    lines = pd.concat([lines, others], ignore_index=True)
    offered = pd.DataFrame({"coupon_upc": [7, 8], "product_id": [5, 9], "campaign_id": 1})
    changed = replace(tables, transactions=lines, coupons=offered)
    impressions, shape = response_impressions(changed, find_exposures(changed))
    first = dict(zip(shape.numbers, impressions.numbers[0].tolist(), strict=True))
    wanted = {
        "spend_28": 2.0,
        "spend_84": 5.0,
        "baskets_28": 1,
        "baskets_84": 2,
        "days_since_purchase": 3,
        "coupon_lines_84": 1,
        "product_spend_84": 2.0,
        "products_bought": 1,
        "matching_coupons": 1,
        "matching_coupons_share": 0.5,
        "coupons": 2,
        "days": 32,
    }
    assert {name: first[name] for name in wanted} == pytest.approx(wanted)


@pytest.mark.slow
def test_the_packages_campaigns_have_the_known_counts_and_no_leak() -> None:
    tables = read_tables(installed_demo())
    exposures = find_exposures(tables)
    parts = (exposures.scored, exposures.is_train, exposures.is_test)
    counts = [(int(part.sum()), int(exposures.redeemed[part].sum())) for part in parts]
    assert counts == [(5918, 619), (4021, 400), (1897, 219)]
    assert len(np.unique(exposures.campaign[exposures.is_test])) == 5
    assert_no_leak(tables, exposures, 16)
