"""`recsys models compare`: two bundles beside each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson, Seen, keep_seen
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.promotion.side_by_side import ComparisonResult


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A bundle's id, see `recsys models list`.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The bundle to set beside it.")],
    seen: Seen = None,
    users: Annotated[
        int, typer.Option(min=0, help="Of so many users the slates of both, drawn at random.")
    ] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Write all of it to this HTML file; slates are then not printed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set two bundles beside each other on the same cases, which neither has learned from.

    Metrics with paired 95% intervals, also on cold and warm items, repeats and new items; how alike the two
    lists are; and ten places of each for some users, with what they really took. Bundles of different
    catalogs are compared on the items that both know.

    \b
    Example:
      recsys models compare shop-20250301-120000 shop-20250401-120000 --out compared.html
    """
    keep = keep_seen(seen)
    from recsys.jobs.promotion.side_by_side import compare_by_id

    found = compare_by_id(load_settings(), first, second, bars, keep_seen=keep, users=users, out=out)
    if as_json:
        print_json(found.to_json())
    else:
        _print_tables(found)


def _print_tables(found: "ComparisonResult") -> None:
    """The verdict, the metrics, and the slates unless they are in a file."""
    compared = found.comparison
    typer.echo(f"{compared.verdict}\n\n{compared.summary}\n")
    print_rows(compared.rows, as_json=False)
    if found.out is not None:
        note(f"slates: {found.out}")
        return
    for slates in compared.slates:
        before = "; ".join(slates.history) or "nothing"
        title = f"user {slates.user_id}; before: {before}; took (*): {'; '.join(slates.taken)}"
        print_rows(slates.rows, as_json=False, title=title)
