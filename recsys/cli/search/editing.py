"""Options that commands on rules share, the job behind them, and how they print what it found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recsys.jobs.search.rule_editing import RuleEditing, Saved
    from recsys.rules.effects import FiredRule
    from recsys.rules.preview import Preview
    from recsys.stores.rules.records import RuleChange

File = Annotated[Path, typer.Argument(help="A .toml or .json file.")]
Queries = Annotated[
    Path | None, typer.Option(help="Queries to try it on: one a line, or a CSV with a column `query`.")
]
Judgments = Annotated[
    Path | None,
    typer.Option(help="A CSV with the columns query, item_id and grade: which items are good."),
]
Remark = Annotated[str, typer.Option(help="Why, for the history.")]
Change = Annotated[bool, typer.Option("--change", help="Replace entries that are there already.")]


def open_editing() -> "RuleEditing":
    """The rules of this shop."""
    from recsys.jobs.search.rule_editing import RuleEditing

    return RuleEditing(load_settings())


def print_saved(saved: "Saved", as_json: bool) -> None:
    """Version and names of what changed."""
    if as_json:
        print_json(saved.to_json())
        return
    changed = ", ".join(saved.changed) or "nothing, it was so already"
    print_facts({"changed": changed, "version of the rules": saved.version}, as_json=False)
    note("a running service takes it up within seconds")


def print_changes(changes: "Sequence[RuleChange]", as_json: bool) -> None:
    """Who changed what, the latest last; documents with --json only."""
    rows = [change.to_json() for change in changes]
    if not as_json:
        rows = [{name: row[name] for name in row if name not in ("before", "after")} for row in rows]
    print_rows(rows, as_json=as_json)


def print_preview(preview: "Preview", as_json: bool) -> None:
    """What changes for whom, the others counted."""
    document = preview.to_json()
    if as_json:
        print_json(document)
        return
    rows = [
        {
            "query or user": each.query,
            "results": f"{each.before.total} -> {each.after.total}"
            if each.after.item_ids is not None
            else "-",
            "before": " ".join((each.before.item_ids or ())[:5]),
            "after": " ".join((each.after.item_ids or ())[:5]),
            "rules": "; ".join(_fired(fired, preview.searched) for fired in each.after.fired),
        }
        for each in preview.queries
        if each.changed
    ]
    print_rows(rows, as_json=False, title=f"{document['changed']} of {document['queries']} change")
    if preview.idle:
        note(f"fire for none of these: {', '.join(preview.idle)}")
    if not preview.searched:
        note("search was not asked: for queries this tells which rules fire, and nothing of items")
    for complaint in preview.complaints:
        note(f"warning: {complaint}")


def _fired(fired: "FiredRule", searched: bool) -> str:
    outcome = f" ({fired.outcome})" if searched else ""  # what became of it is known with items alone
    return f"{fired.rule_id} {fired.action}{outcome}: {fired.detail}"
