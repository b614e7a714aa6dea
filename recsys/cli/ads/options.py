"""Options and output that the commands about accounts and campaigns share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import print_rows

if TYPE_CHECKING:
    from recsys.stores.ads.records import AdsChange

Which = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="Its name or id: see `recsys ads campaign list`.")
]
InAccount = Annotated[
    str | None, typer.Option("--account", help="Whose it is, where several have one of that name.")
]
Remark = Annotated[str, typer.Option(help="Why, for the history.")]
Name = Annotated[
    str | None, typer.Option(help="Its name, unique in the account. A new campaign: campaign 1, 2, ...")
]
Pricing = Annotated[
    str | None,
    typer.Option(
        help="What is paid for: cpc a click, cpm a thousand viewable impressions, cpa a purchase. A new "
        "campaign: cpc."
    ),
]
Bid = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="The most that is paid for that, such as 0.40.")
]
Roas = Annotated[
    str | None,
    typer.Option(
        "--target-roas",
        metavar="PERCENT",
        help="Set bids so that sales are this part of what is spent: 400% = 4.00 for each 1.00.",
    ),
]
MostClicks = Annotated[
    bool, typer.Option("--most-clicks", help="Set bids so that the budget buys as many clicks as it can.")
]
MaxBid = Annotated[str | None, typer.Option(metavar="AMOUNT", help="No automatic bid is above it.")]
BudgetPerDay = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="For a day of the account's time zone; none = no bound."),
]
BudgetTotal = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="From its start to its end; none = no bound.")
]
Start = Annotated[
    str | None, typer.Option(metavar="DAY", help="Its first day in the account's time zone; none = no bound.")
]
End = Annotated[str | None, typer.Option(metavar="DAY", help="Its last day, included; none = no bound.")]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="category=NAME, item=ID, surface=NAME or segment=EXPRESSION; may be given several times; none = "
        "everything. A request has to be about one of the categories, items or keywords.",
    ),
]
Keywords = Annotated[
    list[str] | None,
    typer.Option(
        help='Words of searches, with commas between them: [oat milk] exact, "oat milk" phrase, oat milk '
        "broad; - before a negative one; none = none."
    ),
]
Placements = Annotated[
    list[str] | None,
    typer.Option(
        "--placement",
        help="SURFACE=PERCENT that a bid is multiplied by there, such as search=150%; may be given several "
        "times; none = 100% everywhere.",
    ),
]
QualityFloor = Annotated[
    float | None, typer.Option(help="From 0 to 1; ads of a lower quality stay away. Default: 0.")
]
Cap = Annotated[
    str | None,
    typer.Option(help="3/1d = three impressions to a user in a day; m and h too; none = no bound."),
]
NeverBeside = Annotated[
    list[str] | None,
    typer.Option(
        help="A category of items that its ads never stand next to; may be given several times; none = none."
    ),
]
Items = Annotated[
    list[str] | None,
    typer.Option(help="Ids of advertised items, with commas between them, or @FILE with one a line."),
]
LineName = Annotated[
    str | None, typer.Option("--line", help="The line that --items and --line-... are of. Default: main.")
]
LineBid = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="The line's own bid; none = the campaign's.")
]
LineBudgetPerDay = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="The line's own budget a day; none = no bound.")
]
LineBudgetTotal = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="The line's own budget in total; none = no bound.")
]


def print_changes(changes: "Sequence[AdsChange]", as_json: bool) -> None:
    """Who changed what, the latest last; documents with --json only."""
    rows = [change.to_json() for change in changes]
    if not as_json:
        names = ("at", "by", "version", "action", "remark")
        rows = [{name: row[name] for name in names} for row in rows]
    print_rows(rows, as_json=as_json)
