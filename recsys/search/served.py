"""Searches as records of the log of answers."""

from recsys.funnel.served_answer import SEARCH, Candidate, LoggedRule, ServedAnswer, ShownItem
from recsys.search.answer import SearchAnswer
from recsys.search.requests import SearchRequest


def served_search(
    request: SearchRequest, answer: SearchAnswer, further: tuple[Candidate, ...] = ()
) -> ServedAnswer:
    """The record of a page.

    Args:
        further: products behind it, with their scores.
    """
    first = answer.items[0].position if answer.items else 1
    return ServedAnswer(
        kind=SEARCH,
        request_id=answer.request_id,
        at=answer.at,
        bundle_id=answer.bundle_id,
        items=tuple(
            ShownItem(item.item_id, item.position, item.score, None, item.price_micros, item.found_by)
            for item in (*answer.items, *answer.relaxed)
        ),
        user_id=answer.user_id,
        session_id=request.session_id,
        surface=request.surface,
        query_id=answer.query_id,
        query=answer.query,
        rewritten_query=answer.rewritten if answer.rewritten != answer.query else None,
        rewriters=tuple(dict.fromkeys(each.name for each in answer.rewrites)),
        rules=tuple(LoggedRule(rule.rule_id, rule.version) for rule in answer.rules),
        rules_version=answer.rules_version or None,
        filters=request.filters.to_json() or None,
        sort=answer.sort,
        page=(first - 1) // request.k + 1,
        offset=first - 1,
        total=answer.total,
        candidates=answer.total,
        further=further,
        cold_start=None if answer.user_id is None else not answer.personalised,
        degraded=answer.degraded,
    )
