"""`recsys search rules`: what the shop decides for its searches and recommendations."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.cli.search.editing import (
    Change,
    File,
    FromLog,
    Judgments,
    Queries,
    Remark,
    open_editing,
    open_searched_editing,
    print_changes,
    print_preview,
    print_saved,
    read_queries,
)
from recsys.instants import utc_now
from recsys.rules.rule_documents import rule_to_json

RuleId = Annotated[str, typer.Argument(help="A rule's id.")]
app = typer.Typer(no_args_is_help=True, help="Rules: pin, hide, boost, bury, filter, redirect and note.")


def register(group: typer.Typer) -> None:
    """Adds `rules` to `recsys search`."""
    group.add_typer(app, name="rules")


@app.command("list")
def list_rules(as_json: AsJson = False) -> None:
    """List all rules with their conditions and actions.

    \b
    Example:
      recsys search rules list
    """
    stored = open_editing().load()
    if as_json:
        rules = [{**rule_to_json(rule), "version": rule.version} for rule in stored.rules]
        print_json({"version": stored.version, "rules": rules})
        return
    rows = [
        {
            "id": rule.rule_id,
            "name": rule.name,
            "enabled": "yes" if rule.enabled else "no",
            "surfaces": ", ".join(rule.surfaces) or "all",
            "priority": rule.priority,
            "when": ", ".join(f"{k} {v}" for k, v in rule_to_json(rule)["when"].items()) or "always",
            "do": ", ".join(each["action"] for each in rule_to_json(rule)["do"]),
            "version": rule.version,
        }
        for rule in stored.rules
    ]
    print_rows(rows, as_json=False, title=f"version {stored.version} of the rules")


@app.command()
def show(rule_id: RuleId, as_json: AsJson = False) -> None:
    """Show one rule as it is in force.

    \b
    Example:
      recsys search rules show summer-pasta
    """
    rule = open_editing().rule(rule_id)
    facts = {**rule_to_json(rule), "version": rule.version, "changed_at": rule.changed_at}
    print_facts(facts, as_json=as_json, title=rule.name)


@app.command()
def add(file: File, change: Change = False, remark: Remark = "", as_json: AsJson = False) -> None:
    """Save the rules, and the segments that they name, of a file.

    `recsys search rules check` shows before what they do.

    \b
    Example:
      recsys search rules add summer.toml
      recsys search rules add summer.toml --change --remark "as agreed on Monday"
    """
    print_saved(open_editing().add(file, change=change, remark=remark), as_json)


@app.command()
def check(
    file: File,
    queries: Queries = None,
    judgments: Judgments = None,
    from_log: FromLog = None,
    user: Annotated[
        list[str] | None, typer.Option(help="A user whose recommendations are compared; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what the rules of a file would do to queries and to users, before they are saved.

    Tells for each the items before and after, which rules fire and what became of each pin, and queries
    that would lose all their results. Nothing is changed.

    \b
    Example:
      recsys search rules check summer.toml --queries queries.csv --user 900 --user 1210
      recsys search rules check summer.toml --from-log 200
    """
    asked = read_queries(queries, judgments, from_log)
    found = open_searched_editing().check(file, asked.queries, user or (), utc_now(), asked.judgments)
    print_preview(found, as_json)


@app.command()
def remove(rule_id: RuleId, remark: Remark = "", as_json: AsJson = False) -> None:
    """Take a rule out of force; its history stays.

    \b
    Example:
      recsys search rules remove summer-pasta
    """
    print_saved(open_editing().remove("rule", rule_id, remark), as_json)


@app.command()
def enable(rule_id: RuleId, remark: Remark = "", as_json: AsJson = False) -> None:
    """Switch a rule on.

    \b
    Example:
      recsys search rules enable summer-pasta
    """
    print_saved(open_editing().set_enabled("rule", rule_id, True, remark), as_json)


@app.command()
def disable(rule_id: RuleId, remark: Remark = "", as_json: AsJson = False) -> None:
    """Switch a rule off; it stays where it is.

    \b
    Example:
      recsys search rules disable summer-pasta
    """
    print_saved(open_editing().set_enabled("rule", rule_id, False, remark), as_json)


@app.command()
def history(
    rule_id: Annotated[str | None, typer.Argument(help="A rule's id. Default: all changes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell who changed what and when, of one rule or of everything; --json has what was before and after.

    \b
    Example:
      recsys search rules history summer-pasta --json
    """
    editing = open_editing()
    changes = editing.history() if rule_id is None else editing.history("rule", rule_id)
    print_changes(changes, as_json)


@app.command()
def export(file: File, as_json: AsJson = False) -> None:
    """Write all rules and segments to a file that `import` reads.

    \b
    Example:
      recsys search rules export rules.toml
    """
    found = open_editing().export_file(file)
    if not as_json:
        note(f"{len(found.rules)} rules and {len(found.segments)} segments are in {file}")
    print_facts({"rules": len(found.rules), "segments": len(found.segments)}, as_json=as_json)


@app.command("import")
def import_(
    file: File,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove rules and segments that the file lacks.")
    ] = False,
    remark: Remark = "",
    as_json: AsJson = False,
) -> None:
    """Save the rules and segments of a file, all of them or none.

    \b
    Example:
      recsys search rules import rules.toml --replace
    """
    print_saved(open_editing().import_file(file, replace_all=replace, remark=remark), as_json)
