"""`recsys ads ledger`: whether the books are right, and an account's bill."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_json, print_rows
from recsys.config import load_settings

app = typer.Typer(no_args_is_help=True, help="The books: check, statement.")


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check the identities of the double-entry books; exit 1 and name those that are broken.

    \b
    Example:
      recsys ads ledger check
    """
    from recsys.jobs.ads.books import check_ledger

    broken = check_ledger(load_settings())
    if broken or as_json:
        print_rows([each.to_json() for each in broken], as_json=as_json)
    if broken:
        note(f"error: {len(broken)} identities of the books are broken; see docs/ads-ledger.md.")
        raise typer.Exit(1)
    if not as_json:
        note("the books are right: every identity holds")


@app.command()
def statement(
    account: Annotated[str, typer.Option(help="Name or id: see `recsys ads account list`.")],
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="The first day, in the account's time zone."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day, included. Default: today.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the bill of an account: its ledger lines and their sum. Without --from: of the month.

    \b
    Example:
      recsys ads ledger statement --account acme
      recsys ads ledger statement --account acme --from 2026-05-01 --to 2026-05-31 --json
    """
    from recsys.jobs.ads.books import account_statement

    shown = account_statement(load_settings(), account, first, last)
    if as_json:
        print_json(shown.to_json())
    else:
        bill = shown.bill
        title = f"{bill.account}, {bill.first} to {bill.last} in {bill.time_zone}"
        print_rows(shown.to_rows(), as_json=False, title=title)
