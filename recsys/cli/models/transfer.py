"""`recsys models export | import`: a bundle as one file, to train here and serve there."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.models.options import BundleId
from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts, print_json
from recsys.config import load_settings


def export(
    bundle_id: BundleId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; must not exist.")],
    as_json: AsJson = False,
) -> None:
    """Write a bundle, its run and its tests to one file, to be served elsewhere.

    \b
    Example:
      recsys models export shop-20250301-120000 shop.zip
    """
    from recsys.jobs.promotion.transfer import export_bundle

    print_facts(export_bundle(load_settings(), bundle_id, file).to_json(), as_json=as_json)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `recsys models export` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Take a bundle that was exported elsewhere into this home and registry, as a candidate.

    Every file is verified before anything is kept, and nothing in it is run. Registries may be of different
    databases, SQLite there and PostgreSQL here.

    \b
    Example:
      recsys models import shop.zip
    """
    from recsys.jobs.promotion.transfer import import_bundle

    found = import_bundle(load_settings(), file)
    if as_json:
        print_json(found.to_json())
        return
    print_facts(found.facts, as_json=False)
    note(f"it does not serve yet: recsys models promote {found.record.bundle_id}")
