"""Images to vectors: encoders of several kinds, files that are no pictures, and the cache."""

import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from recsys.config import ImageSettings
from recsys.errors import ArtifactNotFoundError, ConfigError, DataError, SchemaMismatchError
from recsys.models.encoders.image_encoder import ImageEncoder, load_image_encoder
from recsys.stores.encoders.image_vectors import ImageColumn, image_column, item_images, save_image_column
from recsys.stores.encoders.picture_files import SIDE, Picture, UnreadablePicture, decode_picture
from tests.encoders.tiny_models import save_bert, save_clip, save_resnet, save_vit

SETTINGS = ImageSettings(batch_size=2)
RED, BLUE = (220, 20, 20), (20, 20, 220)


def png(
    colour: tuple[int, ...], size: tuple[int, int] = (8, 6), form: str = "PNG", mode: str = "RGB"
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, form)
    return out.getvalue()


class MeanColour:
    """A picture's vector is its mean colour; remembers how large each batch was."""

    dimensions = 3

    def __init__(self, name: str = "colour") -> None:
        self.name = name
        self.batches: list[int] = []

    def encode(self, pictures: Sequence[Picture]) -> np.ndarray:
        self.batches.append(len(pictures))
        return np.array([picture.mean((0, 1)) / 255 for picture in pictures], np.float32)


def write_items(folder: Path) -> Path:
    files = {
        "red.png": png(RED),
        "copy of red.png": png(RED),
        "blue.jpg": png(BLUE, form="JPEG"),
        "cut.png": png(BLUE, (64, 64))[:60],
        "notes.png": b"no picture at all",
        "huge.png": png(RED, (100, 101)),
        "heavy.bmp": png(RED, (50, 50), "BMP"),
    }
    (folder / "pictures").mkdir()
    for name, content in files.items():
        (folder / "pictures" / name).write_bytes(content)
    absolute = (folder / "pictures" / "blue.jpg").resolve()
    rows = [
        ("a", "pictures/red.png"),
        ("b", "pictures/copy of red.png"),
        ("c", str(absolute)),
        ("d", "pictures/cut.png"),
        ("e", "pictures/notes.png"),
        ("f", "pictures/huge.png"),
        ("g", "pictures/gone.png"),
        ("h", ""),
        ("i", "pictures"),
        ("j", "pictures/heavy.bmp"),
    ]
    items = folder / "items.csv"
    items.write_text("\n".join(["sku,photo", *(f"{sku},{path}" for sku, path in rows)]) + "\n")
    return items


def test_items_that_share_a_picture_share_its_vector_and_the_others_say_why_not(tmp_path: Path) -> None:
    images = item_images(write_items(tmp_path), "sku", "photo")
    encoder = MeanColour()
    bounded = ImageSettings(batch_size=2, max_pixels=10_000, max_bytes=5_000)
    found = image_column(images, encoder, tmp_path / "cache", bounded)
    assert found.item_ids == ("a", "b", "c")
    assert found.vectors[0].tolist() == found.vectors[1].tolist() == pytest.approx(np.array(RED) / 255)
    assert found.encoded == sum(encoder.batches) == 2
    assert {each.item_id: each.reason for each in found.rejected} == {
        "d": "broken_image",
        "e": "not_an_image",
        "f": "too_many_pixels",
        "g": "no_file",
        "h": "no_path",
        "i": "unreadable_file",
        "j": "too_many_bytes",
    }
    assert sum(found.reasons.values()) + len(found.item_ids) == len(images)
    assert "100 x 101" in next(each.detail for each in found.rejected if each.item_id == "f")


def test_a_second_run_encodes_only_what_is_new_and_other_encoders_share_nothing(tmp_path: Path) -> None:
    items, cache = write_items(tmp_path), tmp_path / "cache"
    first = image_column(item_images(items, "sku", "photo"), MeanColour(), cache, SETTINGS)
    (tmp_path / "pictures" / "gone.png").write_bytes(png((0, 255, 0)))
    again = image_column(item_images(items, "sku", "photo"), MeanColour(), cache, SETTINGS)
    assert again.encoded == 1
    kept = [again.item_ids.index(item) for item in first.item_ids]
    assert np.array_equal(again.vectors[kept], first.vectors)
    other = image_column(item_images(items, "sku", "photo"), MeanColour("other"), cache, SETTINGS)
    assert other.encoded == first.encoded + 1


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(png((number, 0, 9)))
    rows = "".join(json.dumps({"item_id": str(n), "image": f"{n}.png"}) + "\n" for n in range(6))
    (tmp_path / "items.jsonl").write_text(rows)
    images = item_images(tmp_path / "items.jsonl", "item_id", "image")

    class Failing(MeanColour):
        def encode(self, pictures: Sequence[Picture]) -> np.ndarray:
            if len(self.batches) == 2:
                raise KeyboardInterrupt
            return super().encode(pictures)

    with pytest.raises(KeyboardInterrupt):
        image_column(images, Failing(), tmp_path / "cache", SETTINGS)
    assert image_column(images, MeanColour(), tmp_path / "cache", SETTINGS).encoded == 2


def test_of_rows_with_one_id_the_last_counts_and_a_wrong_column_is_named(tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("sku;photo\na;one.png\na;two.png\n;three.png\n")
    assert [image.path for image in item_images(items, "sku", "photo", ";")] == [tmp_path / "two.png"]
    with pytest.raises(SchemaMismatchError, match="'picture'"):
        item_images(items, "sku", "picture", ";")
    with pytest.raises(DataError, match=r"gone\.csv"):
        item_images(tmp_path / "gone.csv", "sku", "photo")


def test_the_column_is_a_parquet_file_and_what_was_refused_lies_beside_it(tmp_path: Path) -> None:
    images = item_images(write_items(tmp_path), "sku", "photo")
    found = image_column(images, MeanColour(), tmp_path / "cache", SETTINGS)
    target = tmp_path / "out" / "images.parquet"
    refused = save_image_column(found, target, "colour")
    table = pq.read_table(target)
    assert table["item_id"].to_pylist() == list(found.item_ids)
    assert np.allclose(table["vector"].to_pylist(), found.vectors)
    assert table.schema.metadata[b"encoder"] == b"colour"
    assert refused == tmp_path / "out" / "images.refused.jsonl"
    lines = [json.loads(line) for line in refused.read_text().splitlines()]
    assert [line["item_id"] for line in lines] == ["d", "e", "g", "h", "i"]
    assert lines[-2] == {"item_id": "h", "path": "", "reason": "no_path", "detail": "the cell is empty"}
    whole = ImageColumn(found.item_ids, found.vectors, (), 0)
    assert save_image_column(whole, target, "colour") is None
    assert not refused.exists(), "of the run before"


def test_what_is_transparent_is_white_and_a_turned_photo_stands_upright() -> None:
    clear = decode_picture(png((9, 9, 9, 0), mode="RGBA"), 100)
    assert isinstance(clear, np.ndarray)
    assert clear.shape == (6, 8, 3)
    assert clear.min() == 255
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    Image.new("RGB", (8, 6)).save(out, "JPEG", exif=exif)
    turned = decode_picture(out.getvalue(), 100)
    assert isinstance(turned, np.ndarray)
    assert turned.shape == (8, 6, 3)


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", 7), ("P", 7), ("1", 1), ("CMYK", (1, 2, 3, 4)), ("LA", (7, 0))]
)
def test_every_mode_becomes_three_channels(mode: str, colour: int | tuple[int, ...]) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    picture = decode_picture(png(colour, form=form, mode=mode), 100)  # type: ignore[arg-type]
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (6, 8, 3)


def test_a_large_picture_is_made_smaller_and_a_bomb_is_refused_by_its_header() -> None:
    wide = decode_picture(png(RED, (2 * SIDE, SIDE)), 10_000_000)
    assert isinstance(wide, np.ndarray)
    assert wide.shape == (SIDE // 2, SIDE, 3)
    # 60,000 x 60,000 pixels in a header, and nothing behind it that could be unpacked.
    header = b"\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    bomb = b"\x89PNG\r\n\x1a\n" + header + zlib.crc32(header[4:]).to_bytes(4, "big") + b"\x00\x00\x00\x00IDAT"
    rejected = decode_picture(bomb, 50_000_000)
    assert isinstance(rejected, UnreadablePicture)
    assert rejected.reason == "too_many_pixels"


@pytest.mark.parametrize(
    ("save", "pooling", "width"),
    [
        (save_vit, "cls", 16),
        (lambda folder: save_vit(folder, pooler=True), "pooler", 16),
        (save_clip, "pooler", 12),
        (save_resnet, "pooler", 16),
    ],
)
def test_encoders_of_every_kind_give_the_same_unit_rows_at_each_start(save, pooling, width, tmp_path) -> None:
    save(tmp_path / "model")
    encoders = [load_image_encoder(str(tmp_path / "model"), SETTINGS) for _ in range(2)]
    pictures = [np.full((20, 30, 3), colour, np.uint8) for colour in (RED, BLUE, RED)]
    rows, again = (encoder.encode(pictures) for encoder in encoders)
    assert encoders[0].name == encoders[1].name
    assert (encoders[0].pooling, encoders[0].dimensions, rows.shape) == (pooling, width, (3, width))
    np.testing.assert_array_equal(rows, again)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-6)
    assert np.abs(rows[0] - rows[1]).max() > 1e-4


def test_another_pooling_precision_or_preparation_is_another_encoder(tmp_path: Path) -> None:
    folder = save_vit(tmp_path / "model")

    def load(**changed: str) -> ImageEncoder:
        return load_image_encoder(str(folder), SETTINGS.model_copy(update=changed))

    names = {load().name, load(pooling="mean").name, load(precision="bfloat16").name}
    file = folder / "preprocessor_config.json"
    file.write_text(file.read_text().replace("0.5", "0.4"))
    assert len({*names, load().name}) == 4
    red = [np.full((16, 16, 3), RED, np.uint8)]
    np.testing.assert_allclose(load(precision="bfloat16").encode(red), load().encode(red), atol=0.05)


def test_a_pooling_that_the_encoder_lacks_and_an_encoder_of_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="auto or cls, mean"):
        load_image_encoder(str(save_vit(tmp_path / "vit")), ImageSettings(pooling="pooler"))
    with pytest.raises(ArtifactNotFoundError, match="does not load"):
        load_image_encoder(str(save_bert(tmp_path / "bert", ["red"])), SETTINGS)
