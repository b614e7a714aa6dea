"""`recsys demo`: the whole way on the demo shop, by the commands that a user would type."""

import json
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.demo.ads import print_ads
from recsys.cli.demo.searches import print_search, print_searches
from recsys.cli.options import AsJson
from recsys.cli.output import note, print_json, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.demo.ads import DemoAds
    from recsys.jobs.demo.demo import DemoEvaluation, DemoReport
    from recsys.jobs.demo.households import Household
    from recsys.jobs.demo.live import SlateChange
    from recsys.jobs.demo.searches import DemoSearches


def demo(
    serve: Annotated[
        bool | None,
        typer.Option("--serve/--no-serve", help="Keep serving at the end. Default: on a terminal."),
    ] = None,
    multilingual: Annotated[
        bool,
        typer.Option(
            "--multilingual", help="Chinese queries over the English catalog, in a home of its own beside it."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import the demo shop, train, evaluate, load Redis, recommend, change a slate by events, search, ads.

    \b
    Example:
      recsys demo --no-serve
      recsys demo --multilingual --no-serve
    """
    from recsys.jobs.demo.demo import open_demo

    keep = sys.stdout.isatty() if serve is None else serve
    if multilingual:
        _multilingual(keep, as_json)
        return
    with open_demo(load_settings(), None if as_json else _Screen()) as report:
        if as_json:
            print_json(report.to_json())
        else:
            _print_line(
                f"\nThe API runs at {report.address}, with a page for people at {report.address}/. Try:"
            )
            _print_line(_curl_command(report))
        if keep:
            note("serving until Ctrl-C ...")
            _wait_for_interrupt()


def _multilingual(keep: bool, as_json: bool) -> None:
    from recsys.jobs.demo.multilingual import open_multilingual_demo

    with open_multilingual_demo(load_settings(), as_json) as report:
        if as_json:
            print_json(report.to_json())
        else:
            for search in report.searches:
                print_search(search, _print_line)
            _print_line(f"\nThe API runs at {report.address}.")
        if keep:
            note("serving until Ctrl-C ...")
            _wait_for_interrupt()


class _Screen:
    """Prints what the demo finds, as tables for people."""

    def show_evaluation(self, evaluation: "DemoEvaluation") -> None:
        """The table of the evaluation, and where its report is."""
        title = f"evaluation of {evaluation.bundle_id} (report: {evaluation.folder})"
        print_rows(evaluation.rows, as_json=False, title=title)

    def show_households(self, households: Sequence["Household"]) -> None:
        """Each household's latest purchases and its slate."""
        for household in households:
            _print_household(household)

    def show_change(self, change: "SlateChange") -> None:
        """Both slates side by side; what the five events brought in is marked."""
        known = set(change.before)
        after = [title if title in known else f"+ {title}" for title in change.after]
        rows = [
            {"position": place, "before": before, "after": now}
            for place, (before, now) in enumerate(zip(change.before, after, strict=True), start=1)
        ]
        what = f"household {change.user_id} before and after five events"
        title = f"{what}, {change.milliseconds:.0f} ms from sending to the slate"
        print_rows(rows, as_json=False, title=title)

    def show_searches(self, searches: "DemoSearches") -> None:
        """What search found, for anybody and for two households, and what may be typed on."""
        print_searches(searches, _print_line)

    def show_ads(self, ads: "DemoAds") -> None:
        """A page with sponsored items, what they won at, and what a click cost."""
        print_ads(ads, _print_line)


def _print_household(household: "Household") -> None:
    _print_line(f"\nHousehold {household.user_id}, {household.events} purchases, the latest of them:")
    for purchase in household.history:
        _print_line(f"  {purchase.at[:16]}  {purchase.title}")
    rows = [
        {
            "position": item["position"],
            "title": item["title"],
            "score": round(float(item["score"]), 3),
            "reason": _reason_text(item["reason"]),
        }
        for item in household.slate["items"]
    ]
    print_rows(rows, as_json=False, title=f"recommended to household {household.user_id}")


def _reason_text(reason: Any) -> str:
    return str(reason["text"]) if isinstance(reason, dict) else str(reason)


def _curl_command(report: "DemoReport") -> str:
    body = json.dumps({"user_id": report.households[0].user_id, "k": 10})
    return f"  curl -s {report.address}/v1/recommend -H 'content-type: application/json' -d '{body}'"


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _wait_for_interrupt() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        note("stopping")
