"""`recsys ads ledger`: whether the books are right, bills, charges given back, and invalid traffic."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.ads.options import Remark
from recsys.cli.options import AsJson, parse_instant
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.ads.ledger.books import ReturnKind

app = typer.Typer(no_args_is_help=True, help="The books: check, statement, refund, write-off, invalid.")

Key = Annotated[str, typer.Argument(metavar="CHARGE", help="EVENT:SLOT of a charge, such as click:4f1c.")]


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


@app.command()
def refund(charge: Key, remark: Remark = "", as_json: AsJson = False) -> None:
    """Give a charge back, as a whole and once; a day that is over stays as it is.

    \b
    Example:
      recsys ads ledger refund purchase:4f1c --remark "the goods came back"
    """
    _return("refund", charge, remark, as_json)


@app.command("write-off")
def write_off(charge: Key, remark: Remark = "", as_json: AsJson = False) -> None:
    """Give a charge back whose event was invalid traffic.

    \b
    Example:
      recsys ads ledger write-off click:4f1c --remark "a robot"
    """
    _return("write_off", charge, remark, as_json)


@app.command()
def invalid(
    account: Annotated[
        str | None, typer.Option(help="Name or id. Default: all, and events with forged tokens.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="Only events from this instant on.")] = None,
    count: Annotated[int, typer.Option(min=1, max=100_000, help="At most that many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List events that were marked as invalid traffic, the newest first: neither billed nor learned from.

    \b
    Example:
      recsys ads ledger invalid --account acme
      recsys ads ledger invalid --from 2026-05-01 --json
    """
    from recsys.jobs.ads.charging.payments import invalid_traffic

    first = None if since is None else parse_instant("--from", since)
    found = invalid_traffic(load_settings(), account, first, count)
    print_rows(found.to_json() if as_json else found.to_rows(), as_json=as_json)


def _return(kind: "ReturnKind", charge: str, remark: str, as_json: bool) -> None:
    from recsys.jobs.ads.charging.payments import return_charge

    booked = return_charge(load_settings(), kind, charge, remark)
    print_facts(booked.to_json() if as_json else booked.to_row(), as_json=as_json)
