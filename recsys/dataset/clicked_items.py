"""Which items people chose of what their searches found: what a query leads to, as the log says."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from recsys import columns
from recsys.dataset.feedback import CHOICES
from recsys.dataset.searches import key_of_answers, keyed_searches, normalised_query


@dataclass(frozen=True)
class ClickedItem:
    """An item that was chosen of what a query found.

    Attributes:
        query: normalised, see `normalised_query`.
        searches: in how many it was chosen, each once.
    """

    query: str
    item_id: str
    searches: int


def clicked_items(events: pd.DataFrame, corrected: Collection[str] = ()) -> tuple[ClickedItem, ...]:
    """What was chosen for each query, most often chosen first.

    Args:
        events: as `recsys.dataset.searches.searches_of` takes them, with item_id.
        corrected: query_id or request_id of answers to other words than those that were typed; choices of
            these say nothing of the words.
    """
    searches, other_words = keyed_searches(events), set(corrected)
    queries = searches.drop_duplicates("key").set_index("key")[columns.QUERY].map(normalised_query)
    actions = events[events[columns.KIND].isin(CHOICES) & events[columns.ITEM_ID].notna()]
    named, answer = actions[columns.QUERY_ID], actions[columns.REQUEST_ID]
    page_of = answer.map(key_of_answers(searches))  # a page of which search the answer is
    key = named.where(named.isin(queries.index), page_of.where(page_of.notna(), answer))
    known = key.isin(queries.index) & ~key.isin(other_words) & ~answer.isin(other_words)
    chosen = pd.DataFrame({"key": key[known], "item": actions.loc[known, columns.ITEM_ID]}).drop_duplicates()
    chosen["query"] = chosen["key"].map(queries)
    counts = chosen.groupby(["query", "item"])["key"].count().reset_index(name="searches")
    counts = counts.sort_values("searches", ascending=False, kind="stable")
    rows = zip(counts["query"], counts["item"], counts["searches"], strict=True)
    return tuple(ClickedItem(str(query), str(item), int(searches)) for query, item, searches in rows)
