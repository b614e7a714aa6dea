"""The images of an items file as a ready vector column."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.jobs.preconditions import check_file_writable
from recsys.models.encoders.image_encoder import load_image_encoder
from recsys.progress import Progress, silent
from recsys.stores.encoders.image_vectors import image_column, item_images, save_image_column
from recsys.stores.encoders.picture_files import require_pillow


@dataclass(frozen=True)
class ItemColumns:
    """Where an items file has the images' paths and the items' ids.

    Attributes:
        delimiter: of a CSV file; None = a comma.
    """

    image: str
    item: str
    delimiter: str | None = None


@dataclass(frozen=True)
class EncodedImages:
    """A vector column that was written.

    Attributes:
        items: of the file. vectors: of them that have an image that can be read.
        encoded: distinct images that were encoded now; the others were known.
        rejected_file: the other items, each with its reason; None where there is none.
        reasons: rejected items by reason.
    """

    file: Path
    items: int
    vectors: int
    dimensions: int
    encoded: int
    encoder: str
    rejected_file: Path | None
    reasons: Mapping[str, int]

    def to_json(self) -> JsonObject:
        """What `recsys encoder images --json` prints."""
        return {
            "file": str(self.file),
            "items": self.items,
            "vectors": self.vectors,
            "dimensions": self.dimensions,
            "encoded now": self.encoded,
            "encoder": self.encoder,
            "refused": sum(self.reasons.values()),
            "refused in": str(self.rejected_file) if self.rejected_file else None,
            "reasons": self.reasons,
        }


def encode_images(
    settings: Settings,
    file: Path,
    encoder: str,
    columns: ItemColumns,
    target: Path,
    progress: Progress = silent,
) -> EncodedImages:
    """Encodes each distinct image of the items in `file` once, and writes the vectors to `target`.

    Raises:
        ConfigError: the encoder is unknown, Pillow is not installed, or `target` cannot be written or is
            `file`.
        DataError: the file cannot be read, or no item has an image.
        StoreUnavailableError: the disk refused.
    """
    require_pillow()
    check_file_writable(target, "--to", sources=(file,))
    wanted = item_images(file, columns.item, columns.image, columns.delimiter)
    network = load_image_encoder(encoder, settings.image)
    found = image_column(wanted, network, settings.paths.image_vectors, settings.image, progress)
    if not found.item_ids:
        raise DataError(
            f"{file}: none of {len(wanted)} items has an image ({_counts_text(found.reasons)}). "
            "Check --column and --item; relative paths are relative to the items file."
        )
    return EncodedImages(
        file=target,
        items=len(wanted),
        vectors=len(found.item_ids),
        dimensions=network.dimensions,
        encoded=found.encoded,
        encoder=network.name,
        rejected_file=save_image_column(found, target, network.name),
        reasons=found.reasons,
    )


def _counts_text(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in reasons.items()) or "the file is empty"
