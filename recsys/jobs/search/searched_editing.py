"""Rules and synonyms of a shop with the search of its bundle in production, to try changes on."""

from datetime import datetime

from recsys.config import Settings
from recsys.jobs.search.change_search import (
    searched_with_rules,
    searched_with_synonyms,
    searcher_in_production,
)
from recsys.jobs.search.rule_editing import RuleEditing


def searched_editing(settings: Settings, now: datetime, author: str | None = None) -> RuleEditing:
    """The shop's rules; the bundle is loaded with the first query that is asked.

    Args:
        now: when the searches are made, for rules with dates.
        author: who changes something; None = this account.
    """
    opened = searcher_in_production(settings)
    return RuleEditing(
        settings, searched_with_rules(opened, now), searched_with_synonyms(opened, now), author
    )
