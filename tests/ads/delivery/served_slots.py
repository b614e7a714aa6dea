"""Served slots for tests."""

from datetime import UTC, datetime
from typing import Any

from recsys.ads.delivery.served_slot import ServedSlot

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def served_slot(slot_id: str = "s1", **changes: Any) -> ServedSlot:
    """A slot of the home page, served at NOW."""
    return ServedSlot(
        **{
            "slot_id": slot_id,
            "request_id": "r1",
            "served_at": NOW,
            "unit": "user:ann",
            "surface": "home",
            "slot": 1,
            "position": 2,
            "item_id": "tea",
            "account_id": "acme",
            "campaign_id": "summer",
            "line_id": "line-1",
            "pricing": "cpc",
            "bid_micros": 400_000,
            "price_micros": 250_000,
            "held_micros": 2_500,
            "attraction": 0.05,
            "examination": 0.5,
            "p_purchase": 0.1,
            "propensity": 1.0,
            "model": "ctr-1",
            **changes,
        }
    )
