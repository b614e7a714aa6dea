"""`recsys encoder compare`: what an encoder is worth to a shop, and what it costs."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson, TestFrom, with_test_from
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings


def compare(
    encoders: Annotated[
        list[str],
        typer.Argument(help="Encoders: of this home, `minilm`, paths or names; first the one to beat."),
    ],
    protocol: Annotated[
        str | None, typer.Option(help="leave-one-out or time-split; the stricter one that the data allows.")
    ] = None,
    test_from: TestFrom = None,
    cases: Annotated[int, typer.Option(min=1, help="Test cases, sampled.")] = 5000,
    seen: Annotated[
        str | None, typer.Option(help="keep or remove what a user had; as the shop's `repeats` says.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare text encoders by what comes next: their vectors alone, and added to co-occurrence and words.

    Nothing is trained. The whole catalog is ranked for each case by how near an item's text is to those
    of the user's history. Differences are from the first encoder, on the same cases, with 95% intervals.

    \b
    Example:
      recsys encoder compare minilm tuned lora --protocol leave-one-out
    """
    from recsys.jobs.encoders.compare import compare_shop_encoders

    settings = with_test_from(load_settings(), test_from)
    found = compare_shop_encoders(
        settings, encoders, protocol=protocol, cases=cases, seen=seen, progress=bars
    )
    if as_json:
        print_json(found.to_json())
        return
    rows = [encoder.to_json() for encoder in found.encoders]
    print_rows(rows, as_json=False, title=f"{found.protocol}, {found.cases} cases")
    note("alone: by text vectors only; added: with co-occurrence and words, as the baseline kNN + text")
