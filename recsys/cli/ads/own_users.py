"""`recsys ads account own-users`: users of the shop who belong to an advertiser."""

from typing import Annotated

import typer

from recsys.cli.ads.options import Remark
from recsys.cli.options import AsJson
from recsys.cli.output import print_rows
from recsys.config import load_settings

app = typer.Typer(
    no_args_is_help=True,
    help="The account's own users: list, add, remove. What they do is marked as invalid and never billed.",
)

Which = Annotated[str, typer.Argument(help="Name or id of an account: see `recsys ads account list`.")]
Users = Annotated[list[str], typer.Argument(help="Ids of users of the shop.")]


@app.command("list")
def list_users(which: Which, as_json: AsJson = False) -> None:
    """List the account's own users.

    \b
    Example:
      recsys ads account own-users list acme
    """
    _change(which, [], [], "", as_json)


@app.command()
def add(which: Which, users: Users, remark: Remark = "", as_json: AsJson = False) -> None:
    """Add users; what they did before stays as it was charged.

    \b
    Example:
      recsys ads account own-users add acme u17 u18 --remark "their marketing"
    """
    _change(which, users, [], remark, as_json)


@app.command()
def remove(which: Which, users: Users, remark: Remark = "", as_json: AsJson = False) -> None:
    """Remove users; from now on they count as anybody else.

    \b
    Example:
      recsys ads account own-users remove acme u17
    """
    _change(which, [], users, remark, as_json)


def _change(which: str, add: list[str], remove: list[str], remark: str, as_json: bool) -> None:
    from recsys.jobs.ads.charging.payments import change_own_users

    found = change_own_users(load_settings(), which, add, remove, remark)
    print_rows([{"user_id": user} for user in found], as_json=as_json)
