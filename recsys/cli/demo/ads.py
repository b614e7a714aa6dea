"""The ads of `recsys demo` as tables for people."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from recsys.amounts import amount_text
from recsys.cli.output import print_rows

if TYPE_CHECKING:
    from recsys.jobs.demo.ads import DemoAds

_BILLED = {"cpc": "a click", "cpm": "1,000 views", "cpa": "a purchase"}


def print_ads(found: "DemoAds", say: Callable[[str], None]) -> None:
    """The page, what its sponsored items won at, and what a click cost; `say` prints a line."""
    page = found.page
    rows = [
        {
            "position": item["position"],
            "": "sponsored" if item["sponsored"] else "",
            "title": item["title"],
            "category": item["category"],
        }
        for item in page["items"]
    ]
    title = f"page of a category, in {found.milliseconds:.0f} ms, for household {page['user_id']}"
    print_rows(rows, as_json=False, title=title)
    won = [
        {
            "position": place.position,
            "advertiser": place.advertiser,
            "campaign": place.campaign,
            "bids": f"{amount_text(place.bid_micros)} for {_BILLED[place.pricing]}",
            "pays": amount_text(place.price_micros),
            "p(click)": f"{place.p_click:.4f}",
            "came next": place.next_title or "nobody",
        }
        for place in found.places
    ]
    print_rows(won, as_json=False, title="what the sponsored items won at")
    place = found.places[found.clicked]
    spent = f"{amount_text(found.spent_before)} spent, {amount_text(found.spent_after)} after it"
    say(f"A click on position {place.position} ({place.campaign} of {place.advertiser}): {spent},")
    say(f"booked {found.charged_seconds * 1000:.0f} ms after it was sent.")
    if page["degraded"]:
        say(f"  degraded: {', '.join(page['degraded'])}")
