"""`recsys keys`: who may call the service, with which role and how often."""

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.access.roles import Role
from recsys.cli.options import AsJson, parse_instant
from recsys.cli.output import note, print_facts, print_rows
from recsys.config import load_settings
from recsys.instants import utc_now

if TYPE_CHECKING:
    from recsys.jobs.access.keys import MadeKey

app = typer.Typer(help="Access keys of the service: create, list, revoke, rotate.", no_args_is_help=True)

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION = re.compile(r"(\d{1,6})([mhd])")

Which = Annotated[str, typer.Argument(help="The name or the id of a key: see `recsys keys list`.")]
Expires = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="The end of the key: 12h, 90d, or an instant. Default: never."),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, for example web or crm.")],
    role: Annotated[
        Role,
        typer.Option(
            help="storefront reads answers and sends events; merchandiser also rules, synonyms and what "
            "people search for; advertiser the campaigns of one account; operator everything."
        ),
    ],
    account: Annotated[
        str | None,
        typer.Option(help="Name or id of the advertiser's account: see `recsys ads account list`."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="Requests a second. Default: access.default_rate.")
    ] = None,
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: only its hash is kept.

    A service that runs takes it at once. From the first key on, a service asks every caller for one, those
    of this machine too. RECSYS_API_KEY stays valid beside these keys, as an operator's.

    \b
    Example:
      recsys keys create web --role storefront --rate 50
      recsys keys create dashboard --role operator --expires 90d
      recsys keys create acme --role advertiser --account acme
    """
    ends = parse_end(expires, utc_now())
    from recsys.jobs.access.keys import create_key

    _print_key(create_key(load_settings(), name, role, rate, ends, account), as_json)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys with role, state and last use; revoked ones stay in the list.

    \b
    Example:
      recsys keys list
    """
    from recsys.jobs.access.keys import list_keys as found

    keys = found(load_settings())
    print_rows(keys.to_json() if as_json else keys.to_table(), as_json=as_json)


@app.command()
def revoke(which: Which, as_json: AsJson = False) -> None:
    """Revoke the key of that id, or every key of that name; services refuse it within five seconds.

    \b
    Example:
      recsys keys revoke web
    """
    from recsys.jobs.access.keys import revoke_keys

    keys = revoke_keys(load_settings(), which)
    print_rows(keys.to_json() if as_json else keys.to_table(), as_json=as_json)


@app.command()
def rotate(
    which: Which,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long the old key stays valid: 30m, 24h, 7d, or 0m for a key that others may have seen. "
            "Default: access.rotation_hours.",
        ),
    ] = None,
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key in the place of another, with its name, role and rate, and print it, this once.

    Both are valid until the grace is over, so that callers can be given the new one without a failed
    request. `recsys keys list` shows when the old one was last used. Without --expires the new key lasts as
    long as the old one was made to last.

    \b
    Example:
      recsys keys rotate web
      recsys keys rotate web --grace 0m
    """
    kept = None if grace is None else parse_duration("--grace", grace)
    ends = parse_end(expires, utc_now())
    from recsys.jobs.access.keys import rotate_key

    _print_key(rotate_key(load_settings(), which, kept, ends), as_json)


def parse_duration(option: str, text: str) -> timedelta:
    """The time that `text` says, for example 30m, 24h or 7d.

    Raises:
        BadParameter: it is not of that form; `option` is the one that was given so.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time. Write 30m, 24h or 7d.", param_hint=option)
    return int(found[1]) * _UNITS[found[2]]


def parse_end(text: str | None, now: datetime) -> datetime | None:
    """The instant that --expires says, a time from `now` on or an instant; None where it is not given."""
    if text is None:
        return None
    if _DURATION.fullmatch(text) is None:
        return parse_instant("--expires", text)
    return now + parse_duration("--expires", text)


def _print_key(made: "MadeKey", as_json: bool) -> None:
    print_facts(made.to_json(), as_json=as_json)
    if not as_json:
        note("This is the only time that the key is shown. Send it as X-API-Key.")
