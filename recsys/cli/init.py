"""`recsys init`: a folder for a shop, with a mapping guessed from its files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.instants import utc_now

if TYPE_CHECKING:
    from recsys.jobs.init import CheckedRows, NewShop


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; new or empty.")],
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="", help="Further files, as `--from *.csv` gives them.", show_default=False),
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILES...",
            help="The shop's files, or a folder of them: the mapping is guessed from them.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a folder for a shop: settings, feature repository and mapping; the files stay where they are.

    With --from the mapping is guessed from the columns and first rows of the files, each line with its
    reason, and tried on them; exit 1 where it needs a hand. Without, mapping.toml is the template to fill in.

    \b
    Example:
      recsys init my-shop --from exports/events.csv exports/items.csv
      recsys init my-shop
    """
    from recsys.jobs.init import init_shop

    if more and not from_:
        raise typer.BadParameter(f"write --from before {more[0]}", param_hint="FILES")
    made = init_shop(folder, [*(from_ or ()), *(more or ())], utc_now(), bars)
    if as_json:
        print_json(made.to_json())
    else:
        _print_shop(made, folder)
    if os.environ.get("RECSYS_HOME"):
        note("warning: RECSYS_HOME is set and wins over this folder's home. Unset it to use the folder's.")
    if made.problem:
        note(f"error: {made.problem}. Edit {folder / 'mapping.toml'}, whose comments say what is missing.")
        raise typer.Exit(1)


def _print_shop(made: "NewShop", folder: Path) -> None:
    note(f"{folder}: settings in recsys.toml, the feature repository, and mapping.toml")
    if made.checked is None:
        note("put the shop's files into files/ and edit mapping.toml: it is the template, with every key")
    else:
        rows = [{"file": file, "taken for": role} for file, role in made.files.items()]
        note(f"files in {made.source}:")
        print_rows(rows, as_json=False)
        _print_check(made.checked)
    if made.moved_from is not None:
        note(
            f"the newest event is of {made.moved_from:%Y-%m-%d}: all are moved to end this week ([time] in "
            "mapping.toml), for a trial on a historic log"
        )
    if not made.problem:
        typer.echo("Next:\n" + "\n".join(f"  {step}" for step in (f"cd {folder}", *made.steps)))


def _print_check(checked: "CheckedRows") -> None:
    if checked.events is None:
        note("no events: a catalog that can be searched")
    else:
        note(f"of the first {checked.looked_at:,} rows of each file of events, {checked.events:,} are events")
    for reason, rows in checked.rejected.items():
        note(f"set aside: {reason}, {rows:,} rows")
    for warning in checked.warnings:
        note(f"warning: {warning}")
