"""`recsys ablate`: what each part of the model is worth, by leaving it out."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson, TestFrom, with_test_from
from recsys.cli.output import bars, print_rows
from recsys.config import load_settings

CASES = 10_000


def ablate(
    protocol: Annotated[
        str | None,
        typer.Option(help="time-split or leave-one-out. Default: the stricter one the data allows."),
    ] = None,
    test_from: TestFrom = None,
    parts: Annotated[str | None, typer.Option(help="Which parts, separated by commas. Default: all.")] = None,
    cases: Annotated[int, typer.Option(min=1, help="How many cases of the test, sampled.")] = CASES,
    as_json: AsJson = False,
) -> None:
    """Train again without each part of the model and compare what would be served, in one table.

    network.text, network.id, network.time, network.kinds and network.graph are parts of the network, each of
    which costs a training; fusion.together, .text, .words, .own and .network are the signals of the fused
    score, fusion.learning what was learnt about them, and fusion all of it. No bundle is kept.

    \b
    Example:
      recsys ablate --parts network.graph,fusion.words
    """
    settings = with_test_from(load_settings(), test_from)
    from recsys.jobs.training.ablate import ablate_parts

    found = ablate_parts(settings, protocol, parts, cases, bars)
    rows = [row.to_json() if as_json else row.to_table() for row in found.rows]
    title = f"what each part is worth, {found.protocol}, {found.cases} cases"
    print_rows(rows, as_json=as_json, title=title)
