"""Options that commands on rules share, the job behind them, and how they print what it found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.config import load_settings
from recsys.instants import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recsys.jobs.search.query_set import QuerySet
    from recsys.jobs.search.rule_editing import RuleEditing, Saved
    from recsys.jobs.search.synonym_preview import SynonymPreview
    from recsys.rules.effects import FiredRule
    from recsys.rules.preview import Preview
    from recsys.stores.rules.records import RuleChange

File = Annotated[Path, typer.Argument(help="A .toml or .json file; of synonyms also lines (.txt) or .csv.")]
Queries = Annotated[
    Path | None, typer.Option(help="Queries to try it on: one a line, or a CSV with a column `query`.")
]
Judgments = Annotated[
    Path | None,
    typer.Option(help="Which items are good: a file as `recsys search evaluate --judgments` takes it."),
]
FromLog = Annotated[
    int | None,
    typer.Option(min=1, help="N queries of the shop's log, by demand, with the clicks that they had."),
]
Remark = Annotated[str, typer.Option(help="Why, for the history.")]
Change = Annotated[bool, typer.Option("--change", help="Replace entries that are there already.")]


def open_editing() -> "RuleEditing":
    """The rules of this shop."""
    from recsys.jobs.search.rule_editing import RuleEditing

    return RuleEditing(load_settings())


def open_searched_editing() -> "RuleEditing":
    """The rules of this shop, with the search of the bundle in production to try changes on."""
    from recsys.jobs.search.searched_editing import searched_editing

    return searched_editing(load_settings(), utc_now())


def read_queries(queries: Path | None, judgments: Path | None, from_log: int | None) -> "QuerySet":
    """The queries that the options name; none where they are left out."""
    from recsys.jobs.search.query_set import read_query_set

    return read_query_set(load_settings(), queries, judgments, from_log)


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


def print_synonym_preview(preview: "SynonymPreview", as_json: bool) -> None:
    """What changes for whom, and the judged quality before and after."""
    if as_json:
        print_json(preview.to_json())
        return
    print_preview(preview.changes, as_json=False)
    quality = preview.quality
    if not quality.judged:
        note("none of the queries is judged: this tells what changes, not whether it is better")
        return
    facts = {
        "judged queries": quality.judged,
        "NDCG@10": f"{quality.ndcg_before:.4f} -> {quality.ndcg_after:.4f}",
        "recall@100": f"{quality.recall_before:.4f} -> {quality.recall_after:.4f}",
        "queries that lose": ", ".join(repr(each.query) for each in quality.losers[:10]) or "none",
    }
    print_facts(facts, as_json=False)


def _fired(fired: "FiredRule", searched: bool) -> str:
    outcome = f" ({fired.outcome})" if searched else ""  # what became of it is known with items alone
    return f"{fired.rule_id} {fired.action}{outcome}: {fired.detail}"
