"""Options shared by the commands that make an encoder."""

from typing import Annotated

import typer

Name = Annotated[str, typer.Option("--name", help="What the new encoder is called in this home.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="Encoder to begin with: `minilm`, a path or a name; text.encoder."),
]
