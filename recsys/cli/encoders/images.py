"""`recsys encoder images`: an items file's images as a ready vector column."""

from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.output import bars, note, print_facts, print_rows
from recsys.config import load_settings


def images(
    items: Annotated[Path, typer.Argument(help="Items file: CSV, TSV, JSON Lines or Parquet.")],
    encoder: Annotated[str, typer.Option(help="A folder, or a Hugging Face name: CLIP, ViT, DINOv2, ...")],
    column: Annotated[
        str, typer.Option(help="Column with the image's path, relative to the items file or absolute.")
    ] = "image",
    item: Annotated[str, typer.Option(help="Column with the item's id.")] = "item_id",
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV file, if it is no comma.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="Parquet file to write; beside the items file without it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Turn the images of items into a ready vector column for [items.vectors] of a mapping file.

    Each distinct image is encoded once; a second run encodes what is new. Images that are missing, broken
    or too large are counted by reason and listed in a file beside the result.

    \b
    Example:
      recsys encoder images shop/items.csv --encoder models/clip --column picture --to shop/images.parquet
    """
    from recsys.errors import DataError
    from recsys.models.encoders.image_encoder import load_image_encoder
    from recsys.stores.encoders.image_vectors import image_column, item_images, save_image_column
    from recsys.stores.encoders.picture_files import require_pillow

    require_pillow()
    settings = load_settings()
    wanted = item_images(items, item, column, delimiter)
    network = load_image_encoder(encoder, settings.image)
    found = image_column(wanted, network, settings.paths.image_vectors, settings.image, bars)
    target = to or items.with_name(f"{column}.parquet")
    if not found.item_ids:
        raise DataError(
            f"{items}: none of {len(wanted)} items has an image ({_counted(found.reasons)}). "
            "Check --column and --item; relative paths are relative to the items file."
        )
    refused = save_image_column(found, target, network.name)
    facts: dict[str, Any] = {
        "file": str(target),
        "items": len(wanted),
        "vectors": len(found.item_ids),
        "dimensions": network.dimensions,
        "encoded now": found.encoded,
        "encoder": network.name,
        "refused": sum(found.reasons.values()),
        "refused in": str(refused) if refused else None,
    }
    if as_json:
        print_facts(facts | {"reasons": found.reasons}, as_json=True)
        return
    print_facts(facts, as_json=False, title="images")
    if found.reasons:
        print_rows([{"reason": name, "items": count} for name, count in found.reasons.items()], as_json=False)
    note(
        f'to use it: [items.vectors] of the mapping: image = {{ files = "{target.name}", column = "vector" }}'
    )


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in reasons.items()) or "the file is empty"
