"""`recsys refresh`: new files, features and the online store, in one command."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, print_facts, print_json
from recsys.config import load_settings


def refresh(
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Import although fewer than half of the last import's events or items are left."
        ),
    ] = False,
    no_text: Annotated[bool, typer.Option("--no-text", help="Do not encode the text of items.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import the shop's files if any is new or changed, build features, and bring them online.

    `mapping` and `source` in [import] of recsys.toml name the files. If one is new, changed or gone, all of
    them are imported again; what came by the stream stays, and what is in both counts once. This home's
    Redis is started for the time if it is down. A refresh that failed goes on where it stopped when it is
    run again.

    \b
    Example:
      recsys refresh
      RECSYS_IMPORT__MAPPING=my-shop.toml RECSYS_IMPORT__SOURCE=my-shop/ recsys refresh --json
    """
    from recsys.jobs.data.refresh import refresh_shop

    done = refresh_shop(load_settings(), force, bars, with_text=not no_text)
    if as_json:
        print_json(done.to_json())
        return
    facts = {"imported": done.imported, "why": done.reason, "events": done.events, "online until": done.until}
    once = done.counted_once
    facts |= {"in files and stream, by id": once.by_id, "in both, by content": once.by_content}
    print_facts(facts, as_json=False, title="Refresh")
    print_facts(done.rows, as_json=False, title="Feature rows")
