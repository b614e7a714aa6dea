"""A home that served ads, with the events that came of them."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsys import columns
from recsys.ads.auction.candidates import PricingCode
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.tokens.impression_token import ImpressionTokens, SponsoredImpression
from recsys.config import Settings
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.stores.ads_token_key import token_keys
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.served.ad_log import DurableAdLog


class ServedHome:
    """Serves slots and keeps what was done with them."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.model_validate({"home": folder})
        self.log = DurableAdLog.open(self.settings)
        self._tokens = ImpressionTokens(token_keys(self.settings), "")
        self._events: list[dict[str, Any]] = []

    def serve(self, slot: ServedSlot, *kinds: str, viewable: bool | None = True) -> None:
        """Serves `slot`; an impression comes a second later, and events of `kinds` each second after it."""
        self.log.append([slot])
        for seconds, kind in enumerate(("impression", *kinds), 1):
            self._events.append(
                {
                    columns.EVENT_ID: f"{slot.slot_id}-{kind}",
                    columns.KIND: kind,
                    columns.USER_ID: "ann",
                    columns.ITEM_ID: slot.item_id,
                    columns.AT: slot.served_at + timedelta(seconds=seconds),
                    columns.SEQUENCE: len(self._events),
                    columns.WEIGHT: 1.0,
                    columns.VIEWABLE: viewable if kind == "impression" else None,
                    columns.VALUE_MICROS: 5_000_000 if kind == "purchase" else None,
                    columns.TOKEN: self.token(slot),
                }
            )

    def token(self, slot: ServedSlot) -> str:
        """The token of `slot`."""
        return self._tokens.encode(
            SponsoredImpression(
                slot_id=slot.slot_id,
                ad=slot.item_id,
                account=slot.account_id,
                campaign=slot.campaign_id,
                line=slot.line_id,
                slot=slot.slot,
                price_micros=slot.price_micros,
                pricing=PricingCode[slot.pricing.upper()],
                p=slot.p_click,
                served_at=slot.served_at,
                surface=slot.surface,
                request_id=slot.request_id,
                unit=slot.unit,
            )
        )

    def flush(self, more: Sequence[dict[str, Any]] = ()) -> None:
        """Brings the events into the lake."""
        table = pa.Table.from_pylist([*self._events, *more], schema=EVENT_SCHEMA)
        EventLake(self.settings.paths.live).append(table)
