"""`recsys features`: builds the feature store's rows and shows what a service holds."""

from typing import Annotated

import typer

from recsys.cli.output import bars, note, print_facts, print_json, print_rows
from recsys.config import load_settings

app = typer.Typer(no_args_is_help=True, help="Feature rows and feature services.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


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
    from recsys.stores.feature_files import build_features
    from recsys.stores.feature_store import OfflineFeatures

    settings = load_settings()
    rows = build_features(settings, bars, with_text=not no_text)
    OfflineFeatures(settings).apply()
    if not as_json:
        note(f"feature rows are in {settings.paths.features}, declared by {settings.feature_repo}")
    print_facts(rows, as_json=as_json, title="rows")


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
    from dataclasses import asdict

    from recsys.stores.feature_store import OfflineFeatures

    schema = OfflineFeatures(load_settings()).schema(service)
    if as_json:
        print_json({**asdict(schema), "schema_hash": schema.schema_hash})
        return
    print_rows([asdict(feature) for feature in schema.features], as_json=False, title=service)
    note(f"schema hash {schema.schema_hash}")
