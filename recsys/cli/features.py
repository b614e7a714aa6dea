"""`recsys features`: builds the feature store's rows, shows what a service holds, audits what was served."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_facts, print_json, print_rows
from recsys.config import load_settings
from recsys.documents import JsonObject

if TYPE_CHECKING:
    from recsys.features.skew import FeatureSkew, Mismatch, Staleness
    from recsys.jobs.audit.report import SkewAudit

app = typer.Typer(no_args_is_help=True, help="Feature rows and feature services.")


@app.command()
def build(
    no_text: Annotated[bool, typer.Option("--no-text", help="Do not encode the text of items.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the rows of every feature view from the imported events and items, then `feast apply`.

    Views whose inputs did not change are left as they are. `feast materialize-incremental` brings the
    rows online.

    \b
    Example:
        recsys features build
    """
    from recsys.jobs.data.features import build_feature_rows

    settings = load_settings()
    built = build_feature_rows(settings, bars, with_text=not no_text)
    if not as_json:
        note(f"feature rows are in {settings.paths.features}, declared by {settings.feature_repo}")
    print_facts(built.to_json(), as_json=as_json, title="rows")


@app.command()
def show(
    service: Annotated[str, typer.Argument(help="A feature service, for example ranking_v1.")],
    as_json: AsJson = False,
) -> None:
    """List the features of a service in their order, with the hash that a bundle remembers.

    \b
    Example:
        recsys features show ranking_v1
    """
    from recsys.jobs.data.features import describe_service

    document = describe_service(load_settings(), service).to_json()
    if as_json:
        print_json(document)
        return
    print_rows(document["features"], as_json=False, title=service)
    note(f"schema hash {document['schema_hash']}")


@app.command()
def audit(
    sample: Annotated[
        int, typer.Option(min=1, help="How many snapshots to look at, the newest first.")
    ] = 500,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="The share of wrong values that a feature may have.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Compare features that were served with what the feature store computes for the same instants.

    The service logs which rows a share of its answers used. Each row is recomputed through Feast's
    point-in-time join as of its own event timestamp. Exits 1 where a feature is wrong more often than the
    threshold allows; `recsys models promote` then refuses until an audit passes.

    \b
    Example:
        recsys features audit --sample 200
    """
    from recsys.jobs.audit.skew import run_audit

    report = run_audit(load_settings(), sample, threshold, datetime.now(UTC), bars)
    if as_json:
        print_json(report.to_json())
    else:
        _print_audit(report.audit)
        note(f"report: {report.file}")
    if not report.audit.passed:
        raise typer.Exit(1)


def _print_audit(found: "SkewAudit") -> None:
    wrong = [feature for feature in found.features if feature.mismatched]
    print_rows([_feature_row(feature) for feature in wrong], as_json=False, title="features that differ")
    examples = [_example_row(feature.feature, example) for feature in wrong for example in feature.examples]
    if examples:
        print_rows(examples, as_json=False, title="examples")
    print_rows(
        [_staleness_row(view) for view in found.staleness],
        as_json=False,
        title="staleness: rows behind what the lake held before the request",
    )
    facts = {"requests": found.requests, "rows": found.rows, "values": found.compared}
    facts |= {"wrong values": found.mismatched, "rows changed by late events": found.late}
    if found.damaged or found.unknown:
        facts |= {"unreadable lines": found.damaged, "rows of views there are no more": found.unknown}
    result = "passed" if found.passed else "FAILED"
    print_facts({**facts, "audit": result}, as_json=False, title="skew audit")


def _feature_row(feature: "FeatureSkew") -> JsonObject:
    return {
        "view": feature.view,
        "feature": feature.feature,
        "compared": feature.compared,
        "wrong": feature.mismatched,
        "share": feature.share,
        "largest difference": feature.max_difference,
    }


def _staleness_row(view: "Staleness") -> JsonObject:
    return {
        "view": view.view,
        "rows": view.rows,
        "behind": view.behind,
        "missing": view.missing,
        **{f"lag {name} s": seconds for name, seconds in view.lag.items()},
        **{f"overdue {name} s": seconds for name, seconds in view.overdue.items() if name != "p90"},
    }


def _example_row(feature: str, example: "Mismatch") -> JsonObject:
    return {
        "feature": feature,
        "of": example.entity_id,
        "served": _short(example.served),
        "recomputed": _short(example.recomputed),
        "request": example.request_id,
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
