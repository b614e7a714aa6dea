"""`recsys models promote-if-better`: candidate and production on what neither has seen."""

from typing import Annotated

import typer

from recsys.cli.models.options import SkipAudit
from recsys.cli.options import AsJson
from recsys.cli.output import bars, print_facts
from recsys.config import load_settings


def promote_if_better(
    candidate: Annotated[
        str | None,
        typer.Argument(metavar="[CANDIDATE]", help="A bundle's id. Default: the newest candidate."),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            min=0, help="Promote unless it may be worse by more than this. Default: if its mean is better."
        ),
    ] = None,
    skip_audit: SkipAudit = None,
    as_json: AsJson = False,
) -> None:
    """Promote a candidate if it beats the bundle in production, and say why or why not.

    Both are tested on the same cases: users who acted after the newer of the two was trained, all items
    ranked, NDCG@10, with a paired bootstrap interval of the difference. Exits 0 either way.

    \b
    Example:
      recsys models promote-if-better
      recsys models promote-if-better shop-20250301-120000 --epsilon 0.002
    """
    from recsys.jobs.promotion.promote import promote_candidate

    decision = promote_candidate(load_settings(), candidate, bars, epsilon=epsilon, skip_audit=skip_audit)
    facts = decision.to_json() if as_json else decision.facts
    print_facts(facts, as_json=as_json, title="promote if better")
