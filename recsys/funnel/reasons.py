"""Why an item is on the slate, from what brought it in: a code with parameters, and a sentence."""

from collections.abc import Mapping
from datetime import UTC, datetime

from recsys.funnel.slate import Reason

BOUGHT_BEFORE = "bought_before"
SEEN_BEFORE = "seen_before"
TOGETHER = "together"
SIMILAR = "similar"
FOR_YOU = "for_you"
POPULAR_IN = "popular_in_category"
POPULAR = "popular"

# code -> language -> sentence. A shop without a clock knows no date.
SENTENCES: Mapping[str, Mapping[str, str]] = {
    BOUGHT_BEFORE: {"en": "bought before, last on {date}", "zh": "您曾购买过，最近一次是 {date}"},
    f"{BOUGHT_BEFORE} undated": {"en": "bought before", "zh": "您曾购买过"},
    SEEN_BEFORE: {"en": "looked at before, last on {date}", "zh": "您曾看过，最近一次是 {date}"},
    f"{SEEN_BEFORE} undated": {"en": "looked at before", "zh": "您曾看过"},
    TOGETHER: {"en": "often goes with {title}", "zh": "常与“{title}”一起选购"},
    SIMILAR: {"en": "similar to {title}", "zh": "与“{title}”相似"},
    FOR_YOU: {"en": "picked for you", "zh": "为您挑选"},
    POPULAR_IN: {"en": "popular in {category}", "zh": "“{category}”中的热门"},
    POPULAR: {"en": "popular now", "zh": "当前热门"},
}


def reason(code: str, language: str, **parameters: str) -> Reason:
    """The reason `code` in `language`; a repeat without a `date` gets its undated sentence."""
    undated = f"{code} undated"
    sentence = SENTENCES[undated if undated in SENTENCES and "date" not in parameters else code]
    return Reason(code, sentence[language].format(**parameters), parameters)


def date_of(seconds: int) -> str:
    """The UTC day of Unix `seconds`.

    >>> date_of(86_400)
    '1970-01-02'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
