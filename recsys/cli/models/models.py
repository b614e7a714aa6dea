"""`recsys models`: the bundles there are, which one serves, and the way forward and back."""

import typer

from recsys.cli.models.compare import compare
from recsys.cli.models.options import BundleId
from recsys.cli.models.promote_if_better import promote_if_better
from recsys.cli.models.promotion import promote, rollback
from recsys.cli.models.transfer import export, import_
from recsys.cli.options import AsJson
from recsys.cli.output import print_facts, print_json, print_rows
from recsys.config import load_settings

app = typer.Typer(
    help="The trained bundles: list, show, compare, promote, roll back, export and import.",
    no_args_is_help=True,
)

# Metrics, tests and the threshold have tables of their own.
_NOT_IN_FACTS = ("metrics", "evaluations", "settings", "files", "match_threshold")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List all bundles, newest first, with their stage and what they were worth on their tests.

    A bundle has no figures until `recsys evaluate` has tested it.

    \b
    Example:
      recsys models list
    """
    from recsys.jobs.promotion.bundle_facts import list_bundles

    bundles = list_bundles(load_settings())
    rows = [bundle.to_json() if as_json else bundle.to_table() for bundle in bundles]
    print_rows(rows, as_json=as_json)


@app.command()
def show(bundle_id: BundleId, as_json: AsJson = False) -> None:
    """Show what one bundle is, how good it is and every change of its stage.

    \b
    Example:
      recsys models show shop-20250301-120000
    """
    from recsys.jobs.promotion.bundle_facts import describe_bundle

    found = describe_bundle(load_settings(), bundle_id)
    if as_json:
        print_json(found.to_json())
        return
    facts = {name: value for name, value in found.facts.items() if name not in _NOT_IN_FACTS}
    print_facts(facts, as_json=False)
    if metrics := found.record.metrics:
        print_rows([{"metric": name, "value": value} for name, value in metrics.items()], as_json=False)
    for test in found.record.evaluations.values():
        tested = f"{test.cases:,} cases, {test.evaluated_at:%Y-%m-%d}"
        title = f"test: {test.protocol}, seen items: {test.seen}, {tested}"
        print_rows([{"metric": n, "value": v} for n, v in test.metrics.items()], as_json=False, title=title)
        if test.verdict:
            typer.echo(test.verdict)
    if threshold := found.facts.get("match_threshold"):
        title = f"matches by meaning, fitted by {threshold['source']}, on pairs held out"
        print_rows(threshold["reached"], as_json=False, title=title)
    print_rows(found.history, as_json=False, title="stage")


@app.command()
def card(bundle_id: BundleId, as_json: AsJson = False) -> None:
    """Print the model card of a bundle, with its test once `recsys evaluate` has been run.

    \b
    Example:
      recsys models card shop-20250301-120000 > model-card.md
    """
    from recsys.jobs.promotion.bundle_facts import model_card

    found = model_card(load_settings(), bundle_id)
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.text, nl=False)


app.command()(compare)
app.command()(promote)
app.command()(promote_if_better)
app.command()(rollback)
app.command()(export)
app.command("import")(import_)
