"""Nothing at or after the cut changes a bundle: a shop whose future is another trains the same, bit by bit.

The way is the real one, from files to a saved bundle: a price from events, returns, rows of the catalog with
dates, live events, features and a ranker. A bundle's files are compared by their digests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.config import Settings
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import parse_mapping
from recsys.jobs.data.import_shop import run_import
from recsys.jobs.training.train import open_job
from recsys.progress import silent
from recsys.stores.bundles.bundles import load_manifest, save_bundle
from recsys.stores.lake.event_lake import EventLake
from recsys.training.pipeline import train_bundle
from tests.applied_features import apply_features

USERS, ITEMS, DAYS = 36, 24, 120
START, NOW = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 7, 20, tzinfo=UTC)
CUT = START + timedelta(days=100)
MAPPING = """
name = "corner"
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "events.csv"
user = "who"
item = "what"
time = "at"
kind = { column = "kind", values = { sale = "purchase", look = "view", back = "cancel" } }
event_id = "id"
quantity = "n"
value = "paid"

[items]
files = "properties.csv"
id = "item"
category = "category"
brand = "brand"
price = { from = "events" }
long = { name = "property", value = "value", time = "since" }
"""


@dataclass(frozen=True)
class Row:
    """An event of the shop's file, at `day` of its year (a fraction is a time of day)."""

    user: int
    item: int
    day: float
    kind: str
    pieces: int = 1
    paid: int = 0

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=round(86_400 * self.day))


def log_of_shop() -> list[Row]:
    """Each user looks at and buys something of its half on every fourth day, and sends some of it back."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        for day in range(user % 4, DAYS, 4):
            item, when = int(rng.integers(0, ITEMS // 2)) + ITEMS // 2 * (user % 2), day + 0.01 * user
            paid = 2 * (3 + item + int(rng.integers(0, 3)))
            rows.append(Row(user, item, when, "look"))
            rows.append(Row(user, item, when + 0.1, "sale", 2, paid))
            if rng.random() < 0.3:  # a part of it or the whole, some days later
                rows.append(
                    Row(user, item, when + float(rng.integers(1, 20)) + 0.5, "back", int(rng.integers(1, 3)))
                )
    return [row for row in rows if row.day < DAYS]


@dataclass(frozen=True)
class World:
    """All that a shop tells: events of files, properties of items by day, and events of the stream."""

    rows: Sequence[Row]
    properties: Sequence[tuple[float, int, str, str]]
    live: Sequence[Row]


def world() -> World:
    first = [
        (0.0, item, name, f"{name} {item % 5}") for item in range(ITEMS) for name in ("category", "brand")
    ]
    moved = [(60.0, item, "category", f"category {item % 3}") for item in range(0, ITEMS, 4)]
    rows = log_of_shop()
    live = [replace(row, day=row.day + 0.3) for row in rows[::40] if row.kind == "sale"]
    return World(rows, [*first, *moved], live)


def settings_of(home: Path) -> Settings:
    return Settings.model_validate(
        {
            "home": home,
            "retriever": {
                "width": 16,
                "text_width": 8,
                "epochs": 2,
                "batch_size": 16,
                "negatives": 10,
                "history_length": 10,
                "threads": 1,
                "warmup_steps": 2,
            },
            "fusion": {"requests": 60, "candidates": 16, "epochs": 2, "hidden": 8},
            "ranker": {"candidates": 12, "requests": 60, "epochs": 2, "batch_size": 8, "hidden": 8},
            "evaluation": {"test_days": 14, "validation_days": 21, "test_from": CUT},
        }
    )


def trained(home: Path, shop: World, protocol: str) -> dict[str, str]:
    """File -> digest of the bundle that is trained on `shop`, and what the manifest says of it."""
    settings = settings_of(home / "home")
    if protocol != "time-split":
        evaluation = settings.evaluation.model_copy(update={"test_from": None})
        settings = settings.model_copy(update={"evaluation": evaluation})
    import_world(home / "source", settings.paths, shop)
    apply_features(settings)
    job = open_job(settings, protocol, silent, None, incremental=False)
    job = replace(job, run_dir=home / "run")
    bundle = train_bundle(job, "corner-1", NOW)
    assert bundle.ranker is not None
    assert (bundle.items.price_micros[1:] > 0).any()
    manifest = load_manifest(save_bundle(bundle, settings.paths.bundles))
    told = manifest.model_dump(mode="json", include={"metrics", "data_start", "data_end", "users", "items"})
    return {**manifest.files, "manifest": repr(told)}


def import_world(source: Path, paths: HomePaths, shop: World) -> None:
    source.mkdir(parents=True)
    lines = ["id,who,what,at,kind,n,paid"]
    lines += [
        f"e{n},u{row.user},i{row.item:02},{row.at:%Y-%m-%d %H:%M:%S},{row.kind},{row.pieces},{row.paid or ''}"
        for n, row in enumerate(shop.rows)
    ]
    (source / "events.csv").write_text("\n".join(lines) + "\n")
    lines = ["item,property,value,since"]
    lines += [
        f"i{item:02},{name},{value},{START + timedelta(days=day):%Y-%m-%d %H:%M:%S}"
        for day, item, name, value in shop.properties
    ]
    (source / "properties.csv").write_text("\n".join(lines) + "\n")
    mapping = parse_mapping(MAPPING, "corner.toml")
    run_import(paths, ShopFiles(mapping, "0" * 64, source), MAPPING, NOW)
    kinds = {"look": columns.VIEW, "sale": columns.PURCHASE, "back": columns.CANCEL}
    rows = [
        {
            columns.EVENT_ID: f"live-{n}",
            columns.KIND: kinds[row.kind],
            columns.USER_ID: f"u{row.user}",
            columns.ITEM_ID: f"i{row.item:02}",
            columns.AT: row.at,
            columns.SEQUENCE: 1_000_000 + n,
            columns.WEIGHT: 1.0,
        }
        for n, row in enumerate(shop.live)
    ]
    EventLake(paths.live).append(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))


def another(rows: Sequence[Row], later: Callable[[Row], bool]) -> list[Row]:
    """`rows` with other users, items, amounts and returns among those that are `later`."""
    rng = np.random.default_rng(7)
    future = [row for row in rows if later(row) and row.kind != "back"]
    users, items = (rng.permutation([getattr(row, name) for row in future]) for name in ("user", "item"))
    changed = [
        replace(row, user=int(user), item=int(item), paid=row.paid and 3 * row.paid + 1)
        for row, user, item in zip(future, users, items, strict=True)
    ]
    past = [row for row in rows if not later(row)]
    # Other purchases from before the cut are sent back after it.
    bought = [row for row in past if row.kind == "sale"]
    end = max(row.day for row in rows)
    return [*past, *changed, *(replace(row, day=end, kind="back", paid=0) for row in bought[::7])]


def test_a_time_split_trains_the_same_whatever_comes_after_the_cut(tmp_path: Path) -> None:
    shop = world()

    def later(row: Row) -> bool:
        return row.at >= CUT

    names = ("brand", "category")
    properties = [(101.0, item, name, "another") for item in range(0, ITEMS, 3) for name in names]
    changed = World(another(shop.rows, later), [*shop.properties, *properties], another(shop.live, later))
    known = trained(tmp_path / "known", shop, "time-split")
    assert trained(tmp_path / "changed", changed, "time-split") == known
    row = next(place for place, row in enumerate(shop.rows) if row.kind == "sale" and 70 < row.day < 79)
    rows = [*shop.rows]
    rows[row] = replace(rows[row], item=(rows[row].item + 1) % ITEMS)
    assert trained(tmp_path / "before", replace(shop, rows=rows), "time-split") != known


def test_leave_one_out_trains_the_same_whatever_the_last_moments_are(tmp_path: Path) -> None:
    shop = world()
    ends = np.zeros(USERS)
    for row in (*shop.rows, *shop.live):
        if row.kind == "sale":
            ends[row.user] = max(ends[row.user], row.day)

    def later(row: Row) -> bool:
        return bool(row.day >= ends[row.user])

    rng = np.random.default_rng(3)

    def changed(rows: Sequence[Row]) -> list[Row]:
        """Other items at each user's last moment, and no more of what came after it."""
        out = []
        for row in rows:
            if not later(row):
                out.append(row)
            elif row.kind == "sale":
                item = int(rng.integers(0, ITEMS))
                out.append(replace(row, item=item, paid=row.paid and row.paid + 50))
        bought = [row for row in out if row.kind == "sale" and row.paid]
        return [*out, *(replace(row, day=DAYS + 5.0, kind="back", paid=0) for row in bought[::7])]

    known = trained(tmp_path / "known", shop, "leave-one-out")
    changed_shop = World(changed(shop.rows), shop.properties, [*shop.live])
    assert trained(tmp_path / "changed", changed_shop, "leave-one-out") == known
