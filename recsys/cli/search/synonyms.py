"""`recsys search synonyms`: words that find what others are called."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.cli.search.editing import (
    File,
    FromLog,
    Judgments,
    Queries,
    Remark,
    open_editing,
    open_searched_editing,
    print_changes,
    print_saved,
    print_synonym_preview,
    read_queries,
)
from recsys.rules.synonym_rows import synonyms_to_json

SetName = Annotated[str, typer.Argument(help="The name of a set of synonyms.")]
Force = Annotated[
    bool, typer.Option("--force", help="Save them although they break queries or were not checked; recorded.")
]
app = typer.Typer(no_args_is_help=True, help="Synonyms: sets of words and phrases, checked before use.")


def register(group: typer.Typer) -> None:
    """Adds `synonyms` to `recsys search`."""
    group.add_typer(app, name="synonyms")


@app.command("list")
def list_synonyms(as_json: AsJson = False) -> None:
    """List all synonyms, set by set.

    \b
    Example:
      recsys search synonyms list
    """
    sets = open_editing().load().synonyms
    if as_json:
        print_json([{**synonyms_to_json(each), "version": each.version} for each in sets])
        return
    rows = [
        {
            "set": each.name,
            "enabled": "yes" if each.enabled else "no",
            "language": each.language,
            "left": ", ".join(row.left),
            "way": "<=>" if row.two_way else "=>",
            "right": ", ".join(row.right),
            "weight": row.weight,
        }
        for each in sets
        for row in each.rows
    ]
    print_rows(rows, as_json=False)


@app.command()
def add(
    file: File,
    queries: Queries = None,
    judgments: Judgments = None,
    from_log: FromLog = None,
    force: Force = False,
    remark: Remark = "",
    as_json: AsJson = False,
) -> None:
    """Save the sets of synonyms of a file, once a query set has shown that they break nothing.

    A set that takes results or judged quality from queries is refused; so is one that could not be checked.

    \b
    Example:
      recsys search synonyms add synonyms.toml --queries queries.csv --judgments judged.csv
      recsys search synonyms add synonyms.txt --queries queries.csv
    """
    asked = read_queries(queries, judgments, from_log)
    editing = open_searched_editing()
    saved = editing.add_synonyms(file, asked.queries, asked.judgments, force=force, remark=remark)
    if saved.preview is not None and not as_json:
        print_synonym_preview(saved.preview, as_json=False)
    print_saved(saved, as_json)


@app.command()
def check(
    file: File,
    queries: Queries = None,
    judgments: Judgments = None,
    from_log: FromLog = None,
    as_json: AsJson = False,
) -> None:
    """Show what the synonyms of a file would do to queries, before they are saved. Nothing is changed.

    \b
    Example:
      recsys search synonyms check synonyms.toml --queries queries.csv
      recsys search synonyms check synonyms.toml --from-log 200
    """
    asked = read_queries(queries, judgments, from_log)
    preview = open_searched_editing().check_synonyms(file, asked.queries, asked.judgments)
    if preview is not None:
        print_synonym_preview(preview, as_json)
        return
    options = "give --queries, --judgments or --from-log"
    why = "no search could be asked" if asked.queries else options
    note(f"warning: the file can be read; what it does was not checked: {why}")
    print_facts({"checked": False, "why": why}, as_json=as_json)


@app.command()
def remove(name: SetName, remark: Remark = "", as_json: AsJson = False) -> None:
    """Remove a set of synonyms; its history stays.

    \b
    Example:
      recsys search synonyms remove english
    """
    print_saved(open_editing().remove("synonyms", name, remark), as_json)


@app.command()
def enable(name: SetName, remark: Remark = "", as_json: AsJson = False) -> None:
    """Switch a set of synonyms on.

    \b
    Example:
      recsys search synonyms enable english
    """
    print_saved(open_editing().set_enabled("synonyms", name, True, remark), as_json)


@app.command()
def disable(name: SetName, remark: Remark = "", as_json: AsJson = False) -> None:
    """Switch a set of synonyms off.

    \b
    Example:
      recsys search synonyms disable english
    """
    print_saved(open_editing().set_enabled("synonyms", name, False, remark), as_json)


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(help="The name of a set. Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell who changed which set and when, and which checks were overruled.

    \b
    Example:
      recsys search synonyms history english
    """
    print_changes(open_editing().history("synonyms", name), as_json)


@app.command()
def export(file: File, as_json: AsJson = False) -> None:
    """Write all sets of synonyms to a file that `import` reads.

    \b
    Example:
      recsys search synonyms export synonyms.json
    """
    found = open_editing().export_file(file, ("synonym_sets",))
    if not as_json:
        note(f"{len(found.synonyms)} sets are in {file}")
    print_facts({"synonym_sets": len(found.synonyms)}, as_json=as_json)


@app.command("import")
def import_(
    file: File,
    queries: Queries = None,
    judgments: Judgments = None,
    from_log: FromLog = None,
    force: Force = False,
    remark: Remark = "",
    as_json: AsJson = False,
) -> None:
    """Save the sets of a file, as `add` does: with the same check.

    \b
    Example:
      recsys search synonyms import synonyms.json --queries queries.csv
    """
    add(file, queries, judgments, from_log, force, remark, as_json)
