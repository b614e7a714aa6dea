"""`recsys search sample`: queries of the log to judge."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_facts
from recsys.cli.search.judged import Encoder
from recsys.config import load_settings


def sample(
    queries: Annotated[int, typer.Argument(min=1, help="How many queries.")],
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("to-judge.csv"),
    depth: Annotated[int, typer.Option(min=1, help="Items of each way to search.")] = 10,
    encoder: Encoder = None,
    as_json: AsJson = False,
) -> None:
    """Write queries of the shop's log with items to judge: the head whole, the tail by chance, weighted.

    Fill in the column `grade` (empty rows are left out) and pass the file to `recsys search evaluate`.

    \b
    Example:
      recsys search sample 200 --out to-judge.csv
    """
    from recsys.jobs.search.evaluation.sample import write_judging_file

    found = write_judging_file(load_settings(), queries, out, depth=depth, encoder=encoder, progress=bars)
    print_facts(found.to_json(), as_json=as_json)
    note(f"fill in the grades, then: recsys search evaluate --judgments {out}")
