"""A shop whose items have image files: from the command to a bundle that places a new item by its picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from recsys.catalog import Item
from recsys.cli.encoders.encoder import app
from recsys.config import ImageSettings
from recsys.errors import DataError
from recsys.models.bundle_update import ItemChange, update_bundle
from recsys.models.encoders.image_encoder import load_image_encoder
from tests.encoders.test_content_end_to_end import ITEMS, MAPPING, imported, trained, write_shop
from tests.encoders.tiny_models import save_vit

IMAGE_MAPPING = MAPPING.replace(
    'image = "picture.embedding"', 'image = { files = "images.parquet", column = "vector" }'
)


def photo(half: int, seed: int) -> Image.Image:
    """One half of the shop is bright above, the other below; each photo has a grain of its own."""
    pixels = np.random.default_rng(seed).integers(0, 60, (24, 24, 3))
    pixels[12 * half : 12 * half + 12] += 190
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop of the ready vectors, its pictures in files; that of i5 is broken, as its row said nothing."""
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    write_shop(tmp_path / "files")
    save_vit(tmp_path / "vit")
    file = tmp_path / "files" / "items.jsonl"
    rows = [
        json.loads(line) | {"photo": f"photos/i{n}.png"}
        for n, line in enumerate(file.read_text().splitlines())
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "files" / "photos").mkdir()
    for n in range(ITEMS):
        photo(n // 12, n).save(tmp_path / "files" / "photos" / f"i{n}.png")
    (tmp_path / "files" / "photos" / "i5.png").write_bytes(b"cut short")
    return tmp_path


def encode(shop: Path, *options: str) -> str:
    items, target = shop / "files" / "items.jsonl", shop / "files" / "images.parquet"
    arguments = ["images", str(items), "--encoder", str(shop / "vit"), "--item", "item", "--to", str(target)]
    result = CliRunner().invoke(app, [*arguments, *options])
    if result.exception:
        raise result.exception
    return result.stdout


def test_images_of_a_file_reach_the_model_and_place_a_new_item(shop: Path) -> None:
    said = json.loads(encode(shop, "--column", "photo", "--json"))
    assert (said["items"], said["vectors"], said["encoded now"]) == (ITEMS, ITEMS - 1, ITEMS - 1)
    assert said["reasons"] == {"not_an_image": 1}
    assert json.loads(encode(shop, "--column", "photo", "--json"))["encoded now"] == 0

    bundle = trained(imported(shop, IMAGE_MAPPING))
    assert bundle.items.vector_layout == (("image", 16),)
    encoder = load_image_encoder(str(shop / "vit"), ImageSettings())
    for half in (0, 1):
        (vector,) = encoder.encode([np.asarray(photo(half, 99))])
        item = Item("new", "thing 1", "thing 1", vectors={"image": tuple(vector.tolist())})
        text = bundle.text_vectors[bundle.items.vocabulary.index("i1")]
        grown = update_bundle(bundle, [ItemChange(item, text)])
        cosines = grown.item_vectors[1:-1] @ grown.item_vectors[-1]
        of_half = np.array([int(name[1:]) // 12 == half for name in bundle.items.vocabulary.ids[1:]])
        assert cosines[of_half].mean() > cosines[~of_half].mean() + 0.3


def test_people_see_what_was_refused_and_what_to_write_next(shop: Path) -> None:
    said = encode(shop, "--column", "photo")
    assert "not_an_image" in said
    assert "images.refused.jsonl" in said
    with pytest.raises(DataError, match=r"none of 24 items has an image \(no_file 24\)"):
        encode(shop, "--column", "title")
