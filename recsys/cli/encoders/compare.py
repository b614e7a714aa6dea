"""`recsys encoder compare`: what an encoder is worth to a shop, and what it costs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings
from recsys.jobs.encoders.loading import loaded, timed

if TYPE_CHECKING:
    from recsys.evaluation.compare import Evaluation
    from recsys.evaluation.encoders import EncoderComparison

TIMED = 200  # of the shop's texts, by which the speed is measured


def compare(
    encoders: Annotated[
        list[str],
        typer.Argument(help="Encoders: of this home, `minilm`, paths or names; first the one to beat."),
    ],
    protocol: Annotated[
        str | None, typer.Option(help="leave-one-out or time-split; the stricter one that the data allows.")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="Test cases to ask, sampled.")] = 5000,
    seen: Annotated[
        str | None, typer.Option(help="keep or remove what a user had; as the shop's `repeats` says.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare text encoders by what comes next: their vectors alone, and added to co-occurrence and words.

    Nothing is trained. The whole catalog is ranked for each case by how near an item's text is to those
    of the user's history. Differences are from the first encoder, on the same cases, with 95% intervals.

    \b
    Example:
      recsys encoder compare minilm tuned lora --protocol leave-one-out
    """
    from recsys.errors import ConfigError
    from recsys.evaluation.encoders import compare_encoders
    from recsys.jobs.encoders.data import sampled, shop_texts, shop_vectors
    from recsys.stores.lake.shop import open_shop

    if seen not in (None, "keep", "remove"):
        raise ConfigError(f"--seen {seen!r} is unknown. Choose keep or remove.")
    settings = load_settings()
    shop = open_shop(settings.paths)
    split = shop.split(protocol or shop.default_protocol, settings.evaluation)
    few = sampled(shop_texts(settings), TIMED, settings.evaluation.seed)
    vectors, milliseconds = {}, {}
    for name in dict.fromkeys(encoders):
        encoder = loaded(settings, name, settings.text.precision)
        titles, vectors[name] = shop_vectors(settings, encoder, shop.interactions.items, bars)
        milliseconds[name] = timed(encoder, few)[1]
    found = compare_encoders(
        split,
        shop.interactions,
        titles,
        vectors,
        settings.evaluation,
        seen="keep" if seen == "keep" or (seen is None and shop.info.repeats) else "remove",
        cases=cases,
        progress=bars,
    )
    rows = [_row(found, name, milliseconds.get(name)) for name in found.alone.models]
    if as_json:
        print_json({"protocol": split.protocol, "cases": len(found.alone.cases), "rows": rows})
        return
    print_rows(rows, as_json=False, title=f"{split.protocol}, {len(found.alone.cases)} cases")
    note("alone: by text vectors only; added: with co-occurrence and words, as the baseline kNN + text")


def _row(found: "EncoderComparison", name: str, milliseconds: float | None) -> dict[str, Any]:
    alone, added = _metrics(found.alone, name, "alone"), _metrics(found.added, name, "added")
    return {"encoder": name, **alone, **added, "ms a text": milliseconds}


def _metrics(evaluation: "Evaluation", model: str, way: str) -> dict[str, Any]:
    """HR and NDCG at the first cutoff, and by how much the latter differs from the first encoder's."""
    cut = min(evaluation.cutoffs)
    hit, gain = (evaluation.row(model, f"{metric}@{cut}") for metric in ("hr", "ndcg"))
    if hit is None or gain is None:
        return {}
    apart = None
    if gain.difference is not None:
        apart = f"{gain.difference:+.4f} [{gain.difference_low:+.4f}, {gain.difference_high:+.4f}]"
    return {f"{way} HR@{cut}": hit.value, f"{way} NDCG@{cut}": gain.value, f"{way} difference": apart}
