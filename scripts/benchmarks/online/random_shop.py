"""A shop of random data in a home of its own: features online, a bundle in production."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import DoubleArray, FloatArray
from recsys.catalog import stable_key
from recsys.config import Settings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.features.view_schemas import VIEW_SCHEMAS, view_table
from recsys.instants import utc_now
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.models.manifest import Manifest
from recsys.models.neighbours import Neighbours
from recsys.models.ranker import Ranker, RankerShape
from recsys.models.retriever.build import build_retriever
from recsys.models.signals import SignalTables
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.features.build import write_rows
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.redis.server import start_server, stop_server
from recsys.stores.registry.registry import Registry

CATEGORIES = 200
NEIGHBOURS = 50
TEXT_WIDTH = 64


@contextmanager
def open_shop(settings: Settings, items: int, users: int) -> Iterator[None]:
    """Opens the shop in the home of `settings`; its Redis runs as long as the block."""
    now = utc_now()
    rng = np.random.default_rng(0)
    before = {name: os.environ.pop(name, None) for name in ("RECSYS_HOME", "REDIS_URL", "DATABASE_URL")}
    os.environ["RECSYS_HOME"] = str(settings.paths.home)  # Feast's stores look there
    start_server(settings)
    try:
        for view, table in feature_rows(items, users, now, rng).items():
            write_rows(settings.paths, view, table)
        features = OfflineFeatures(settings)
        features.apply()
        with redirect_stdout(sys.stderr):  # Feast prints; stdout is for the table
            features.materialize(now + timedelta(seconds=1))
        promote(settings, random_bundle(items, settings, now, "random-1", rng))
        yield
    finally:
        stop_server(settings)
        del os.environ["RECSYS_HOME"]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def promote(settings: Settings, bundle: Bundle) -> None:
    """Saves `bundle` and puts it into production."""
    path = save_bundle(bundle, settings.paths.bundles)
    with Registry.open(settings) as registry:
        registry.register(bundle.manifest, path)
        registry.promote(bundle.manifest.bundle_id)


def random_bundle(
    items: int,
    settings: Settings,
    now: datetime,
    bundle_id: str,
    rng: np.random.Generator,
    applied: bool = True,
) -> Bundle:
    """An untrained bundle of the real networks: it costs what a trained one costs.

    Args:
        applied: whether there is a feature repository whose schema it is bound to.
    """
    table, service = _item_table(items, rng), columns.RANKING_SERVICE
    text = _unit(rng.normal(size=(items + 1, TEXT_WIDTH)))
    retriever = build_retriever(settings.retriever, table, text, None, clock=True).eval()
    ranker = Ranker(RankerShape(hidden=settings.ranker.hidden)).eval()
    ranker.fit_statistics(rng.lognormal(size=(1000, len(columns.RANKING_FEATURES))).astype(np.float32))
    manifest = Manifest(
        bundle_id=bundle_id,
        created_at=now,
        dataset="random",
        protocol="all",
        repeats=True,
        services={service: OfflineFeatures(settings).schema_hash(service)} if applied else {},
        data_start=now,
        data_end=now,
        users=0,
        items=items,
        encoder="random",
        settings={},
        metrics={},
    )
    return Bundle(
        manifest=manifest,
        items=table,
        retriever=retriever,
        text_vectors=text,
        signal_tables=_random_tables(retriever.item_vectors(), rng),
        fusion=initial_fusion(settings.fusion.hidden, repeats=True),
        ranker=ranker,
    )


def _random_tables(item_vectors: FloatArray, rng: np.random.Generator) -> SignalTables:
    items = len(item_vectors) - 1
    popularity = np.append(0, rng.pareto(1.0, items)).astype(np.float32)
    return SignalTables(
        co_occurrence=_random_neighbours(items, rng),
        item_cosine=_random_neighbours(items, rng),
        text=_random_neighbours(items, rng, least=0.5),  # as those of texts that are alike
        words=_random_neighbours(items, rng),
        item_vectors=item_vectors,
        item_events=np.append(0, rng.pareto(1.0, items)).astype(np.float32),
        popularity=popularity,
        text_missing=np.zeros(items + 1, bool),
    )


def _random_neighbours(items: int, rng: np.random.Generator, least: float = 0.0) -> Neighbours:
    index = rng.integers(1, items + 1, (items + 1, NEIGHBOURS), np.int32)
    index[0] = 0
    scores = least + (1 - least) * -np.sort(-rng.random((items + 1, NEIGHBOURS)), axis=1)
    return Neighbours(index, scores.astype(np.float32))


def item_id(number: int) -> str:
    return f"item-{number:06d}"


def user_id(number: int) -> str:
    return f"user-{number:06d}"


def _unit(rows: DoubleArray) -> FloatArray:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[0] = 0
    return rows.astype(np.float32)


def _item_table(items: int, rng: np.random.Generator) -> ItemTable:
    names = [f"category {number}" for number in range(CATEGORIES)]
    return ItemTable(
        vocabulary=Vocabulary.of(item_id(number) for number in range(items)),
        titles=("", *(f"Title of item {number}" for number in range(items))),
        categories=("", *(names[number] for number in rng.integers(0, CATEGORIES, items))),
        brands=("", *(f"brand {number}" for number in rng.integers(0, 500, items))),
        price_micros=np.append(-1, rng.integers(1, 100, items) * 1_000_000),
        available=np.append(False, np.ones(items, bool)),
        attributes=("{}", *(f'{{"colour": "c{number}"}}' for number in rng.integers(0, 20, items))),
    )


def feature_rows(items: int, users: int, now: datetime, rng: np.random.Generator) -> dict[str, pa.Table]:
    """Rows of each view as of `now`."""
    length = columns.HISTORY_LENGTH
    keys = np.array([stable_key(item_id(number)) for number in range(items)], np.int64)
    seconds = int(now.timestamp()) - np.sort(rng.integers(60, 30 * 86_400, (users, length)), axis=1)[:, ::-1]
    lists: dict[str, Any] = {
        columns.HISTORY_ITEMS: keys[rng.integers(0, items, (users, length))],
        columns.HISTORY_KINDS: rng.choice(
            [columns.KIND_CODES[kind] for kind in columns.ACTION_KINDS], (users, length)
        ),
        columns.HISTORY_AT: seconds,
        columns.TOP_CATEGORIES: rng.integers(1, 1000, (users, columns.TOP_CATEGORY_COUNT)),
        columns.TOP_CATEGORY_SHARES: np.full((users, columns.TOP_CATEGORY_COUNT), 0.2, np.float32),
    }
    tables = {}
    for view in VIEW_SCHEMAS:
        of_users = columns.USER_ID in VIEW_SCHEMAS[view].names
        count = users if of_users else items
        tables[view] = _rows(view, count, of_users, now, lists | {columns.ITEM_KEY: keys}, rng)
    for view in (columns.ITEM_TEXT, columns.ITEM_VECTORS):
        tables[view] = VIEW_SCHEMAS[view].empty_table()
    return tables


def _rows(
    view: str, count: int, of_users: bool, now: datetime, given: dict[str, Any], rng: np.random.Generator
) -> pa.Table:
    """`count` rows of `view`: what is given, random numbers for the rest."""
    values: dict[str, pa.Array] = {}
    for field in VIEW_SCHEMAS[view]:
        if field.name in (columns.USER_ID, columns.ITEM_ID):
            values[field.name] = pa.array(
                [(user_id if of_users else item_id)(number) for number in range(count)]
            )
        elif pa.types.is_timestamp(field.type):
            values[field.name] = pa.repeat(pa.scalar(now, field.type), count)
        elif field.name in given:
            values[field.name] = pa.array(list(given[field.name]), field.type)
        elif pa.types.is_list(field.type):
            values[field.name] = pa.array([[]] * count, field.type)
        elif pa.types.is_boolean(field.type):
            values[field.name] = pa.array(np.ones(count, bool))
        elif pa.types.is_string(field.type):
            values[field.name] = pa.repeat(pa.scalar(""), count)
        else:
            values[field.name] = pa.array(rng.integers(1, 100, count)).cast(field.type)
    return view_table(view, values)
