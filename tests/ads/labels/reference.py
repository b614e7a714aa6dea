"""The labels of slots once more, by joins of polars: slow, obvious, and nothing shared with the code."""

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from recsys.ads.delivery.served_slot import ServedSlot

SECOND = 1_000_000
DAY = 86_400 * SECOND


def reference_labels(
    slots: Sequence[ServedSlot],
    events: Sequence[dict[str, Any]],
    ids: dict[str, str],
    now: int,
    click_seconds: int,
    purchase_days: int,
    invalid: Collection[str],
) -> list[dict[str, Any]]:
    """A row for each slot that is no ghost: viewable, clicked_at, purchased, settled, mature, invalid.

    Without cancellations. `ids`: token -> slot_id. Instants are microseconds.
    """
    served = pl.DataFrame(
        {
            "slot_id": [slot.slot_id for slot in slots],
            "item": [slot.item_id for slot in slots],
            "served_at": [int(slot.served_at.timestamp() * SECOND) for slot in slots],
            "ghost": [slot.arm == "holdout" for slot in slots],
        },
        schema={"slot_id": pl.String, "item": pl.String, "served_at": pl.Int64, "ghost": pl.Boolean},
    )
    came = pl.DataFrame(
        [
            {name: event[name] for name in ("event_id", "kind", "item_id", "at", "viewable", "token")}
            for event in events
        ],
        schema={
            "event_id": pl.String,
            "kind": pl.String,
            "item_id": pl.String,
            "at": pl.Int64,
            "viewable": pl.Boolean,
            "token": pl.String,
        },
    )
    tokens = pl.DataFrame(
        {"token": list(ids), "slot_id": list(ids.values())}, schema={"token": pl.String, "slot_id": pl.String}
    )
    kinds = ["impression", "click", "purchase"]
    named = came.join(tokens, on="token").join(served, on="slot_id").filter(pl.col("kind").is_in(kinds))
    bad = set(named.filter(pl.col("event_id").is_in(list(invalid)))["slot_id"]) | set(invalid)
    since = pl.col("at") - pl.col("served_at")
    longest = (
        pl.when(pl.col("kind") == "purchase").then(purchase_days * DAY).otherwise(click_seconds * SECOND)
    )
    named = named.filter(
        (pl.col("item_id") == pl.col("item"))
        & (since >= -600 * SECOND)
        & (since <= longest)
        & ~pl.col("ghost")
        & ~pl.col("slot_id").is_in(list(bad))
    )
    seen = named.filter(pl.col("kind") == "impression").group_by("slot_id").agg(pl.col("viewable").max())
    clicks = (
        named.filter(pl.col("kind") == "click")
        .group_by("slot_id")
        .agg(pl.col("at").min().alias("clicked_at"))
    )
    rows = (
        served.filter(~pl.col("ghost"))
        .join(seen, on="slot_id", how="left", maintain_order="left")
        .join(clicks, on="slot_id", how="left", maintain_order="left")
        .with_columns(clicked_at=pl.when(pl.col("viewable")).then(pl.col("clicked_at")))
    )
    bought = (
        named.filter(pl.col("kind") == "purchase")
        .join(rows.select("slot_id", "clicked_at"), on="slot_id")
        .filter(pl.col("at") >= pl.col("clicked_at"))["slot_id"]
        .unique()
        .to_list()
    )
    return rows.select(
        "slot_id",
        "viewable",
        "clicked_at",
        pl.col("slot_id").is_in(bought).alias("purchased"),
        (now - pl.col("served_at") > click_seconds * SECOND).alias("settled"),
        (now - pl.col("served_at") > purchase_days * DAY).alias("mature"),
        pl.col("slot_id").is_in(list(bad)).alias("invalid"),
    ).to_dicts()
