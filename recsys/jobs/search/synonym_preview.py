"""What synonyms of a file would do to a query set: items before and after, and judged quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.documents import JsonObject
from recsys.rules.preview import Ask, Preview, preview_change
from recsys.rules.synonym_rows import SynonymRows
from recsys.search.shop_words import stored_synonyms
from recsys.search.understanding.synonym_check import CheckedQuery, SynonymCheck, check_synonyms

Sets = tuple[SynonymRows, ...]
Grades = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class SynonymPreview:
    """The same answers, looked at twice.

    Attributes:
        changes: every query before and after, and why the sets should not be accepted.
        quality: NDCG@10 and recall@100 of judged queries, and which of them lose.
    """

    changes: Preview
    quality: SynonymCheck

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why the sets should not be accepted; none where they may."""
        return self.changes.complaints

    def to_json(self) -> JsonObject:
        """Both."""
        return {**self.changes.to_json(), "quality": self.quality.to_json()}


def preview_synonyms(
    queries: Sequence[str], judgments: Grades, ask: Ask[Sets], before: Sets, after: Sets
) -> SynonymPreview | None:
    """Every query asked before and after; None where no search can be asked.

    Raises:
        DataError: synonyms are wrong, or there is no query.
    """
    asked = tuple(dict.fromkeys((*queries, *judgments)))
    first, second = stored_synonyms(before), stored_synonyms(after)
    changes = preview_change(asked, ask, before, after, (), judgments)
    if not changes.searched:
        return None
    answers = {each.query: each for each in changes.queries}
    quality = check_synonyms(
        (CheckedQuery(query, judgments.get(query, {})) for query in asked),
        lambda query, tried: (
            (answers[query].before if tried is first else answers[query].after).item_ids or ()
        ),
        first,
        second,
    )
    return SynonymPreview(changes, quality)
