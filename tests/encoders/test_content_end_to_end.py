"""A GPT-like text encoder and image vectors, from a shop's files to a bundle that meets a new item."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from recsys.catalog import Item
from recsys.config import Settings, load_settings
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import load_mapping
from recsys.jobs.data.import_shop import run_import
from recsys.models.bundle import Bundle
from recsys.models.bundle_update import ItemChange, update_bundle
from recsys.models.encoders.text_encoder import load_encoder
from recsys.stores.bundles.bundles import load_bundle, save_bundle
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.shop import open_shop
from recsys.training.job import TrainingJob
from recsys.training.pipeline import train_bundle
from tests.encoders.tiny_models import save_gpt2

ROOT = Path(__file__).parents[2]
NOW = datetime(2025, 6, 1, tzinfo=UTC)
USERS, ITEMS, DAYS = 24, 24, 90
MAPPING = """
name = "pictures"
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "orders.csv"
user = "user"
item = "item"
kind = "purchase"
time = "at"

[items]
files = "items.jsonl"
id = "item"
title = "title"

[items.vectors]
image = "picture.embedding"
"""


def picture(half: int, seed: int) -> list[float]:
    """Pictures of one half of the shop look alike."""
    noise = np.random.default_rng(seed).normal(size=12) * 0.3
    noise[half * 6] += 2
    return [round(float(number), 4) for number in noise]


def write_shop(folder: Path) -> None:
    """Even users buy in one half, odd users in the other; titles say nothing of it, pictures do."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    goods = [
        {"item": f"i{n}", "title": f"thing {n % 7}", "picture": {"embedding": picture(n // 12, n)}}
        for n in range(ITEMS)
    ]
    goods[5]["picture"] = {}  # a picture may be missing
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in goods))
    lines = ["user,item,at"]
    for user in range(USERS):
        for day in range(user % 2, DAYS, 2):
            item = int(rng.integers(12)) + 12 * (user % 2)
            at = NOW - timedelta(days=DAYS - day, seconds=user)
            lines.append(f"u{user},i{item},{at:%Y-%m-%dT%H:%M:%SZ}")
    (folder / "orders.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("pictures")
    write_shop(folder / "files")
    return imported(folder, MAPPING)


def imported(folder: Path, mapping_text: str) -> Settings:
    """The shop in `files` below `folder`, in a home beside it."""
    (folder / "shop.toml").write_text(mapping_text)
    save_gpt2(folder / "gpt", ["thing", *(str(n) for n in range(7))])
    given = {
        "RECSYS_HOME": str(folder / "home"),
        "RECSYS_TEXT__ENCODER": str(folder / "gpt"),
        "RECSYS_RETRIEVER__EPOCHS": "2",
        "RECSYS_RETRIEVER__THREADS": "1",
        "RECSYS_RETRIEVER__WIDTH": "16",
        "RECSYS_RETRIEVER__TEXT_WIDTH": "8",
        "RECSYS_RETRIEVER__BATCH_SIZE": "16",
        "RECSYS_RANKER__CANDIDATES": "12",
        "RECSYS_RANKER__EPOCHS": "1",
        "RECSYS_FUSION__EPOCHS": "1",
    }
    settings = load_settings(given, start=ROOT)
    mapping = load_mapping(str(folder / "shop.toml"))
    run_import(settings.paths, ShopFiles(mapping, "0", folder / "files"), mapping_text, NOW)
    return settings


@pytest.fixture(scope="module")
def bundle(settings: Settings) -> Bundle:
    return trained(settings)


def trained(settings: Settings) -> Bundle:
    """A bundle of a shop in which all items but one have a picture, as a service loads it."""
    shop, features = open_shop(settings.paths), OfflineFeatures(settings)
    rows = build_features(settings)
    assert rows["item_text"] == ITEMS
    assert rows["item_vectors"] == ITEMS - 1
    features.apply()
    split = shop.split("time-split", settings.evaluation)
    new = train_bundle(TrainingJob(shop, split, features, settings, settings.paths.runs), "b1", NOW)
    return load_bundle(save_bundle(new, settings.paths.bundles), new.manifest.services)


def test_the_decoders_text_vectors_are_what_the_model_reads(settings: Settings, bundle: Bundle) -> None:
    encoder = load_encoder(settings.text)
    assert encoder.pooling == "last"
    place = bundle.items.vocabulary.index("i3")
    np.testing.assert_allclose(bundle.text_vectors[place], encoder.encode(["thing 3"])[0], atol=1e-5)


def test_ready_vectors_reach_the_model_as_unit_rows_and_missing_ones_as_zeros(bundle: Bundle) -> None:
    assert bundle.items.vector_layout == bundle.retriever.vector_layout == (("image", 12),)
    assert bundle.items.vectors is not None
    lengths = np.linalg.norm(bundle.items.vectors, axis=1)
    without = [0, bundle.items.vocabulary.index("i5")]
    np.testing.assert_allclose(np.delete(lengths, without), 1, atol=1e-5)
    assert lengths[without].tolist() == [0, 0]
    assert bundle.retriever.item_tower.numbers.shape[1] == sum(
        k for _, _, k in bundle.retriever.shape.vectors
    )
    np.testing.assert_allclose(bundle.retriever.item_vectors(), bundle.item_vectors, atol=1e-5)


def test_a_new_item_stands_among_those_that_its_picture_is_like(bundle: Bundle) -> None:
    for half in (0, 1):
        item = Item("new", "thing 1", "thing 1", vectors={"image": tuple(picture(half, 99))})
        text = bundle.text_vectors[bundle.items.vocabulary.index("i1")]
        grown = update_bundle(bundle, [ItemChange(item, text)])
        cosines = grown.item_vectors[1:-1] @ grown.item_vectors[-1]
        of_half = np.array([int(name[1:]) // 12 == half for name in bundle.items.vocabulary.ids[1:]])
        assert cosines[of_half].mean() > cosines[~of_half].mean() + 0.3


def test_a_changed_picture_moves_an_item_and_the_same_one_does_not(bundle: Bundle) -> None:
    place = bundle.items.vocabulary.index("i2")
    item = Item("i2", "thing 2", "thing 2", price_micros=None, vectors={"image": tuple(picture(0, 2))})
    same = update_bundle(bundle, [ItemChange(item)])
    np.testing.assert_allclose(same.item_vectors[place], bundle.item_vectors[place], atol=1e-5)
    other = update_bundle(bundle, [ItemChange(replace(item, vectors={"image": tuple(picture(1, 50))}))])
    assert np.abs(other.item_vectors[place] - bundle.item_vectors[place]).max() > 0.05
    assert np.array_equal(bundle.item_vectors, other.item_vectors[: len(bundle.items)]) is False
