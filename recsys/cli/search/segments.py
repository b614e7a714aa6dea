"""`recsys search segments`: named groups of users that rules, and later ads, are for."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import print_rows
from recsys.cli.search.editing import Change, File, Remark, open_editing, print_changes, print_saved
from recsys.rules.fields import USER_FIELDS

SegmentName = Annotated[str, typer.Argument(help="A segment's name.")]
app = typer.Typer(no_args_is_help=True, help="Segments: who a rule is for, as an expression over users.")


def register(group: typer.Typer) -> None:
    """Adds `segments` to `recsys search`."""
    group.add_typer(app, name="segments")


@app.command("list")
def list_segments(as_json: AsJson = False) -> None:
    """List all segments with their expressions.

    \b
    Example:
      recsys search segments list
    """
    segments = open_editing().load().segments
    rows = [{"name": each.name, "is": each.expression, "version": each.version} for each in segments]
    print_rows(rows, as_json=as_json)


@app.command()
def fields(as_json: AsJson = False) -> None:
    """List what an expression may ask of a user; attributes of the shop's own are `user.NAME`.

    \b
    Example:
      recsys search segments fields
    """
    rows = [{"field": each.name, "kind": each.kind, "meaning": each.meaning} for each in USER_FIELDS.values()]
    print_rows(rows, as_json=as_json)


@app.command()
def add(file: File, change: Change = False, remark: Remark = "", as_json: AsJson = False) -> None:
    """Save the segments of a file; a mistake in an expression is told with its place.

    \b
    Example:
      recsys search segments add loyal.toml
    """
    print_saved(open_editing().add(file, change=change, remark=remark), as_json)


@app.command()
def remove(name: SegmentName, remark: Remark = "", as_json: AsJson = False) -> None:
    """Remove a segment that no rule names any more.

    \b
    Example:
      recsys search segments remove loyal
    """
    print_saved(open_editing().remove("segment", name, remark), as_json)


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(help="A segment's name. Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell who changed which segment and when.

    \b
    Example:
      recsys search segments history loyal
    """
    print_changes(open_editing().history("segment", name), as_json)
