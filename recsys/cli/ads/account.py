"""`recsys ads account`: advertisers, the time zones of their days, what they may spend and what they paid."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.ads import own_users
from recsys.cli.ads.options import Remark, print_changes
from recsys.cli.options import AsJson
from recsys.cli.output import print_facts, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.ads.accounts import AccountEditing, ShownAccount
    from recsys.stores.ads.payments import PaymentKind

app = typer.Typer(no_args_is_help=True, help="Accounts of advertisers: create, list, show, edit, top-up, ...")
app.add_typer(own_users.app, name="own-users")

Which = Annotated[str, typer.Argument(help="Name or id of an account: see `recsys ads account list`.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="In the shop's currency, such as 250.00.")]
Reference = Annotated[
    str, typer.Option(help="Names this payment, such as a bank transfer: the same one again changes nothing.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The advertiser's name, unique in the shop.")],
    time_zone: Annotated[
        str,
        typer.Option(
            metavar="ZONE",
            help="Of the IANA database, such as Asia/Shanghai: budgets, bills and dates have its days.",
        ),
    ],
    budget_per_day: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="What all its campaigns together may spend in a day. Default: no bound.",
        ),
    ] = None,
    prepaid: Annotated[
        bool, typer.Option("--prepaid", help="It spends only what it paid in before. Default: by bill.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an account. Its time zone stays, as its bills have days of that zone.

    \b
    Example:
      recsys ads account create acme --time-zone Asia/Shanghai
      recsys ads account create acme --time-zone Asia/Shanghai --budget-per-day 500.00 --prepaid
    """
    _print(_editing().create(name, time_zone, budget_per_day, prepaid), as_json)


@app.command("list")
def list_accounts(as_json: AsJson = False) -> None:
    """List all accounts.

    \b
    Example:
      recsys ads account list
    """
    found = _editing().accounts()
    print_rows([each.to_json() if as_json else each.to_row() for each in found], as_json=as_json)


@app.command()
def show(which: Which, as_json: AsJson = False) -> None:
    """Show an account.

    \b
    Example:
      recsys ads account show acme
    """
    _print(_editing().account(which), as_json)


@app.command()
def edit(
    which: Which,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    budget_per_day: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="What it may spend in a day from now on; none = no bound."),
    ] = None,
    remark: Remark = "",
    as_json: AsJson = False,
) -> None:
    """Rename an account, or change what it may spend in a day.

    \b
    Example:
      recsys ads account edit acme --budget-per-day 800.00 --remark "for the holidays"
    """
    _print(_editing().edit(which, name, budget_per_day, remark), as_json)


@app.command()
def history(which: Which, as_json: AsJson = False) -> None:
    """Tell who changed an account and when; what it was and became with --json.

    \b
    Example:
      recsys ads account history acme
    """
    print_changes(_editing().history(which), as_json)


@app.command("top-up")
def top_up(
    which: Which, amount: Amount, reference: Reference, remark: Remark = "", as_json: AsJson = False
) -> None:
    """Book what an account paid: into its wallet, or against its bill.

    \b
    Example:
      recsys ads account top-up acme 250.00 --reference "bank 2026-05-01 no 7"
    """
    _book("top_up", which, amount, reference, remark, as_json)


@app.command()
def credit(
    which: Which, amount: Amount, reference: Reference, remark: Remark = "", as_json: AsJson = False
) -> None:
    """Give an account an amount without a payment; a day that is over is not opened by it.

    \b
    Example:
      recsys ads account credit acme 20.00 --reference "complaint 31" --remark "late report"
    """
    _book("credit", which, amount, reference, remark, as_json)


def _book(kind: "PaymentKind", which: str, amount: str, reference: str, remark: str, as_json: bool) -> None:
    from recsys.jobs.ads.charging.payments import book_payment

    booked = book_payment(load_settings(), kind, which, amount, reference, remark)
    print_facts(booked.to_json() if as_json else booked.to_row(), as_json=as_json)


def _editing() -> "AccountEditing":
    from recsys.jobs.ads.accounts import AccountEditing

    return AccountEditing(load_settings())


def _print(shown: "ShownAccount", as_json: bool) -> None:
    print_facts(shown.to_json() if as_json else shown.to_row(), as_json=as_json)
