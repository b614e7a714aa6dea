"""`recsys models promote | rollback`: which bundle serves."""

from typing import TYPE_CHECKING

from recsys.cli.models.options import BundleId, Force, SkipAudit
from recsys.cli.options import AsJson
from recsys.cli.output import print_facts, print_json
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.promotion.promote import Promotion


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
    from recsys.jobs.promotion.promote import promote_bundle

    _print_promotion(promote_bundle(load_settings(), bundle_id, force=force, skip_audit=skip_audit), as_json)


def rollback(force: Force = False, as_json: AsJson = False) -> None:
    """Put the bundle before the last promotion back into production, after the same checks.

    \b
    Example:
      recsys models rollback
    """
    from recsys.jobs.promotion.promote import rollback_bundle

    _print_promotion(rollback_bundle(load_settings(), force=force), as_json)


def _print_promotion(found: "Promotion", as_json: bool) -> None:
    if as_json:
        print_json(found.to_json())
        return
    replaced = "nothing, it was there already" if found.unchanged else found.replaced
    print_facts({"production": found.after.bundle_id, "replaced": replaced}, as_json=False)
