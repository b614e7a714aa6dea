"""`recsys ads campaign`: what is advertised, when, to whom and for how much."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.ads.given_options import takes_campaign_options
from recsys.cli.ads.options import InAccount, Remark, Which, print_changes
from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.config import load_settings
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.shown_campaign import ShownCampaign, campaign_facts, campaign_row, line_rows

if TYPE_CHECKING:
    from recsys.ads.campaigns.status import Action
    from recsys.jobs.ads.campaigns import CampaignEditing

app = typer.Typer(
    no_args_is_help=True,
    help="Campaigns: create, edit, list, show, pause, resume, archive, review, history; "
    "forecast, report, why-not.",
)

LineOf = Annotated[str | None, typer.Option("--line", help="One of its lines alone, by name or id.")]


@app.command()
@takes_campaign_options
def create(
    account: Annotated[str, typer.Option(help="Whose it is, by name or id.")],
    given: CampaignOptions,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Do not show it until `resume`. Default: as soon as its dates allow."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a campaign with one line; `edit --line NAME --items ...` adds others.

    It needs a bid or automatic bidding, and items of the catalog. What keeps its ads away at first is said
    on stderr; `recsys ads campaign why-not` says it later.

    \b
    Example:
      recsys ads campaign create --account acme --budget-per-day 50.00 --bid 0.40 --items 1,2,3
      recsys ads campaign create --account acme --bid 0.40 --items @summer.txt --start 2026-06-01
      recsys ads campaign create --account acme --bid 2 --items 1 --keywords 'milk,[penne],-"oat milk"'
      recsys ads campaign create --account acme --target-roas 400% --budget-per-day 50.00 --items 1
    """
    editing = _editing()
    made = editing.create(account, given, draft)
    _print(made, as_json)
    for obstacle in editing.why_not(made.campaign.campaign_id):
        note(f"not shown yet: {obstacle.message}")


@app.command()
@takes_campaign_options
def edit(
    which: Which,
    given: CampaignOptions,
    account: InAccount = None,
    remark: Remark = "",
    as_json: AsJson = False,
) -> None:
    """Change what is given of a campaign; all else stays. An option given several times replaces the whole.

    \b
    Example:
      recsys ads campaign edit summer --budget-per-day 80.00 --end none
      recsys ads campaign edit summer --line sauces --items 7,8 --line-bid 0.25
    """
    _print(_editing().edit(which, given, account, remark), as_json)


@app.command("list")
def list_campaigns(
    account: Annotated[str | None, typer.Option(help="Of one account alone, by name or id.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List campaigns.

    \b
    Example:
      recsys ads campaign list
      recsys ads campaign list --account acme --archived --json
    """
    found = _editing().campaigns(account, archived)
    print_rows([each.to_json() if as_json else campaign_row(each) for each in found], as_json=as_json)


@app.command()
def show(which: Which, account: InAccount = None, as_json: AsJson = False) -> None:
    """Show a campaign with its lines.

    \b
    Example:
      recsys ads campaign show summer
    """
    _print(_editing().campaign(which, account), as_json)


@app.command()
def pause(
    which: Which, account: InAccount = None, line: LineOf = None, remark: Remark = "", as_json: AsJson = False
) -> None:
    """Stop a campaign, or one of its lines, until it is resumed.

    \b
    Example:
      recsys ads campaign pause summer --remark "out of stock"
    """
    _change("pause", which, account, line, remark, as_json)


@app.command()
def resume(
    which: Which, account: InAccount = None, line: LineOf = None, remark: Remark = "", as_json: AsJson = False
) -> None:
    """Start a paused campaign, or one of its lines, again.

    \b
    Example:
      recsys ads campaign resume summer
    """
    _change("resume", which, account, line, remark, as_json)


@app.command()
def archive(
    which: Which, account: InAccount = None, line: LineOf = None, remark: Remark = "", as_json: AsJson = False
) -> None:
    """End a campaign, or one of its lines, for good; what was billed keeps its name.

    \b
    Example:
      recsys ads campaign archive summer
    """
    _change("archive", which, account, line, remark, as_json)


@app.command()
def review(
    which: Which,
    reject: Annotated[
        str | None, typer.Option(metavar="REASON", help="Reject it, and why. Default: approve it.")
    ] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Approve a campaign of an advertiser, or reject it with a reason that the advertiser reads.

    \b
    Example:
      recsys ads campaign review summer
      recsys ads campaign review summer --reject "The items are not food"
    """
    _print(_editing().review(which, reject, account), as_json)


@app.command()
def history(which: Which, account: InAccount = None, as_json: AsJson = False) -> None:
    """Tell who changed a campaign and when; what it was and became with --json.

    \b
    Example:
      recsys ads campaign history summer
    """
    print_changes(_editing().history(which, account), as_json)


def _editing() -> "CampaignEditing":
    from recsys.jobs.ads.campaigns import CampaignEditing

    return CampaignEditing(load_settings())


def _change(
    action: "Action", which: str, account: str | None, line: str | None, remark: str, as_json: bool
) -> None:
    _print(_editing().change_status(which, action, account, line, remark), as_json)


def _print(shown: ShownCampaign, as_json: bool) -> None:
    if as_json:
        print_json(shown.to_json())
        return
    print_facts(campaign_facts(shown), as_json=False)
    print_rows(line_rows(shown.campaign, shown.currency), as_json=False)
