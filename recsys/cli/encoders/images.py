"""`recsys encoder images`: an items file's images as a ready vector column."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_facts, print_rows
from recsys.config import load_settings


def images(
    items: Annotated[Path, typer.Argument(help="Items file: CSV, TSV, JSON Lines or Parquet.")],
    encoder: Annotated[str, typer.Option(help="A folder, or a Hugging Face name: CLIP, ViT, DINOv2, ...")],
    column: Annotated[
        str, typer.Option(help="Column with the image's path, relative to the items file or absolute.")
    ] = "image",
    item: Annotated[str, typer.Option(help="Column with the item's id.")] = "item_id",
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV file, if it is not a comma.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="Parquet file to write; beside the items file without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn the images of items into a ready vector column for [items.vectors] of a mapping file.

    Each distinct image is encoded once; a second run encodes what is new. Images that are missing, broken
    or too large are counted by reason and listed in a file beside the result.

    \b
    Example:
      recsys encoder images shop/items.csv --encoder models/clip --column picture --to shop/images.parquet
    """
    from recsys.jobs.encoders.images import ItemColumns, encode_images

    target = to or items.with_name(f"{column}.parquet")
    columns = ItemColumns(column, item, delimiter)
    document = encode_images(load_settings(), items, encoder, columns, target, bars).to_json()
    if as_json:
        print_facts(document, as_json=True)
        return
    facts = {name: value for name, value in document.items() if name != "reasons"}
    print_facts(facts, as_json=False, title="images")
    if reasons := document["reasons"]:
        print_rows([{"reason": name, "items": count} for name, count in reasons.items()], as_json=False)
    note(
        f'to use it: [items.vectors] of the mapping: image = {{ files = "{target.name}", column = "vector" }}'
    )
