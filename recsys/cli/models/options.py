"""Options that commands of `recsys models` share."""

from typing import Annotated

import typer

BundleId = Annotated[str, typer.Argument(metavar="ID", help="A bundle's id, see `recsys models list`.")]
Force = Annotated[bool, typer.Option("--force", help="Do not compare the feature schema.")]
SkipAudit = Annotated[
    str | None,
    typer.Option("--skip-audit", metavar="REASON", help="Promote though the skew audit failed; logged."),
]
