"""auction: 1,000 eligible ads and 4 slots, from arrays to priced slots, beside the same in plain Python.

The three price rules in turn; CPC, CPM and CPA bids mixed; a twentieth out of money before, another when
it is to be reserved. Both have to give the same winners and prices.
"""

import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from ads.plain_auction import PlainAd, plain_auction
from recsys.ads.auction.auction import run_auction
from recsys.ads.auction.candidates import Candidates, PricingCode
from recsys.ads.auction.placement import Placement, PriceRule, Reserves
from recsys.cli.output import note

ADS, ROUNDS = 1_000, 300
MOST_MS, AIM_MS = 2.0, 0.3
_EXAMINATION = (0.9, 0.7, 0.5, 0.4)
_RESERVES = Reserves(cpc_micros=20_000, cpm_micros=500_000, cpa_micros=400_000)


def rows() -> list[dict[str, Any]]:
    """One row: the median CPU of an auction in milliseconds, and the peer's."""
    rng = np.random.default_rng(0)
    ours: list[float] = []
    peer: list[float] = []
    for turn in range(ROUNDS):
        values = _random_values(rng)
        ads = _plain_ads(values)
        placement = Placement(_EXAMINATION, list(PriceRule)[turn % 3], _RESERVES)
        outcome = _timed(lambda: run_auction(Candidates(**values), placement, turn, _can_pay), ours)  # noqa: B023
        slots, _ = _timed(lambda: plain_auction(ads, placement, turn, _can_pay), peer)  # noqa: B023
        found = [(slot.ad, slot.price_micros) for slot in outcome.slots]
        expected = [(slot.ad, slot.price) for slot in slots]
        if found != expected:
            raise RuntimeError(f"auction {turn}: {found}, in plain Python {expected}")
    p50, p99 = np.percentile(ours, [50, 99])
    peer_ms = float(np.median(peer))
    note(f"p50 {p50:.3f}, p99 {p99:.3f} ms CPU; plain Python p50 {peer_ms:.2f}: {peer_ms / p50:.1f}x")
    return [
        {
            "name": "auction",
            "unit": "ms CPU",
            "ours": float(p50),
            "peer": "the same in plain Python",
            "peer_value": peer_ms,
            "ratio": None,
            "at_least": MOST_MS,
            "aim": AIM_MS,
            "ok": bool(p50 <= MOST_MS),
        }
    ]


def _random_values(rng: np.random.Generator) -> dict[str, Any]:
    """The fields of `Candidates`: 100 accounts, some products advertised more than once."""
    pricing = rng.integers(0, 3, ADS)
    worth = np.select([pricing == PricingCode.CPM, pricing == PricingCode.CPA], [25, 20], 1)
    return {
        "ad": rng.permutation(ADS),
        "account": rng.integers(0, 100, ADS),
        "product": rng.integers(0, 800, ADS),
        "bid_micros": rng.integers(50_000, 1_500_000, ADS) * worth,
        "pricing": pricing,
        "attraction": rng.beta(2, 60, ADS),
        "p_purchase": rng.beta(2, 30, ADS),
        "quality": rng.uniform(0.5, 1, ADS),
        "can_pay": rng.random(ADS) < 0.95,
    }


def _plain_ads(values: dict[str, Any]) -> list[PlainAd]:
    columns = [values[field.name].tolist() for field in fields(Candidates)]
    return [PlainAd(*row) for row in zip(*columns, strict=True)]


def _can_pay(ad: int, price_micros: int) -> bool:
    return ad % 20 != 0


def _timed(call: Callable[[], Any], took: list[float]) -> Any:
    start = time.thread_time()
    answer = call()
    took.append(1000 * (time.thread_time() - start))
    return answer
