"""`recsys models`: the bundles there are, which one serves, and the way forward and back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.models.if_better import promote_if_better
from recsys.cli.models.promotion import SkipAudit, audited, check, who
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.config import Settings, load_settings
from recsys.errors import ArtifactError

if TYPE_CHECKING:
    from recsys.stores.registry.records import BundleRecord, StageChange
    from recsys.stores.registry.registry import Registry

app = typer.Typer(help="The trained bundles: list, inspect, promote, roll back.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
BundleId = Annotated[str, typer.Argument(metavar="ID", help="A bundle's id, see `recsys models list`.")]
Force = Annotated[bool, typer.Option("--force", help="Do not compare the feature schema.")]

_SHOWN_METRICS = 3


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List all bundles, newest first, with their stage.

    \b
    Example:
      recsys models list
    """
    with _registry(load_settings()) as registry:
        bundles = registry.list_bundles()
    if as_json:
        print_json([_facts(bundle) for bundle in bundles])
    else:
        print_rows([_row(bundle) for bundle in bundles], as_json=False)


@app.command()
def show(bundle_id: BundleId, as_json: AsJson = False) -> None:
    """Show what one bundle is, how good it is and every change of its stage.

    \b
    Example:
      recsys models show shop-20250301-120000
    """
    with _registry(load_settings()) as registry:
        bundle = registry.get(bundle_id)
        changes = registry.history(bundle_id)
    facts = _facts(bundle) | _manifest_facts(bundle)
    history = [_change(change) for change in changes]
    if as_json:
        print_json(facts | {"history": history})
        return
    metrics = facts.pop("metrics")
    print_facts({k: v for k, v in facts.items() if k not in ("settings", "files")}, as_json=False)
    if metrics:
        print_rows([{"metric": name, "value": value} for name, value in metrics.items()], as_json=False)
    print_rows(history, as_json=False, title="stage")


@app.command()
def card(bundle_id: BundleId, as_json: AsJson = False) -> None:
    """Print the model card of a bundle, with its test once `recsys evaluate` has been run.

    \b
    Example:
      recsys models card shop-20250301-120000 > model-card.md
    """
    from recsys.evaluation.model_card import render_card
    from recsys.stores.bundles.model_cards import load_card

    settings = load_settings()
    with _registry(settings) as registry:
        bundle = registry.get(bundle_id)
    found = load_card(bundle.path, settings.paths.reports / bundle_id)
    if as_json:
        print_json(found)
    else:
        typer.echo(render_card(found), nl=False)


@app.command()
def promote(
    bundle_id: BundleId, force: Force = False, skip_audit: SkipAudit = None, as_json: AsJson = False
) -> None:
    """Put a bundle into production, after checking that it loads and fits today's features.

    Refused while the latest `recsys features audit` failed. A running service takes the bundle up by itself,
    without dropping a request.

    \b
    Example:
      recsys models promote shop-20250301-120000
    """
    settings = load_settings()
    with _registry(settings) as registry:
        check(registry.get(bundle_id), settings, force)
        changed_by = who() + audited(settings, skip_audit)
        before = registry.production()
        _say(registry.promote(bundle_id, changed_by=changed_by), before, as_json)


app.command("promote-if-better")(promote_if_better)


@app.command()
def rollback(force: Force = False, as_json: AsJson = False) -> None:
    """Put the bundle before the last promotion back into production, after the same checks.

    \b
    Example:
      recsys models rollback
    """
    settings = load_settings()
    with _registry(settings) as registry:
        target = registry.previous()
        if target is not None:
            check(target, settings, force)
        before = registry.production()
        after = registry.rollback(changed_by=who(), expected=target.bundle_id if target else None)
        _say(after, before, as_json)


def _registry(settings: Settings) -> "Registry":
    from recsys.stores.registry.registry import Registry

    return Registry.open(settings)


def _say(after: "BundleRecord", before: "BundleRecord | None", as_json: bool) -> None:
    previous = before.bundle_id if before and before.bundle_id != after.bundle_id else None
    if as_json:
        print_json(_facts(after) | {"replaced": previous})
        return
    same = before is not None and before.bundle_id == after.bundle_id
    print_facts(
        {"production": after.bundle_id, "replaced": "nothing, it was there already" if same else previous},
        as_json=False,
    )


def _facts(bundle: "BundleRecord") -> dict[str, Any]:
    return {
        "bundle_id": bundle.bundle_id,
        "stage": bundle.stage,
        "dataset": bundle.dataset,
        "protocol": bundle.protocol,
        "created_at": bundle.created_at,
        "promoted_at": bundle.promoted_at,
        "run_id": bundle.run_id,
        "path": str(bundle.path),
        "metrics": bundle.metrics,
    }


def _row(bundle: "BundleRecord") -> dict[str, Any]:
    best = list(bundle.metrics.items())[:_SHOWN_METRICS]
    return {
        "id": bundle.bundle_id,
        "stage": bundle.stage,
        "created": f"{bundle.created_at:%Y-%m-%d %H:%M}",
        "dataset": bundle.dataset,
        "protocol": bundle.protocol,
        "metrics": ", ".join(f"{name} {value:.4f}" for name, value in best),
    }


def _manifest_facts(bundle: "BundleRecord") -> dict[str, Any]:
    from recsys.stores.bundles.bundles import load_manifest

    try:
        manifest = load_manifest(bundle.path).model_dump()
    except ArtifactError as error:  # the registry's facts are worth showing without the files
        note(f"warning: {error}")
        return {}
    return {name: value for name, value in manifest.items() if name not in ("bundle_id", "metrics")}


def _change(change: "StageChange") -> dict[str, Any]:
    return {
        "at": change.changed_at.isoformat(timespec="seconds"),
        "action": change.action,
        "from": change.from_stage,
        "to": change.to_stage,
        "by": change.changed_by,
    }
