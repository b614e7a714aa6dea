"""What became of an ad in one sentence, for people."""

from recsys.ads.blending.page import AdDecision, AdOutcome
from recsys.amounts import amount_text


def describe_decision(decision: AdDecision) -> str:
    """Where the ad stands and what it adds, or why it was left out."""
    return f"{decision.ad_id}: {_reason(decision)}"


def _reason(decision: AdDecision) -> str:
    less = f"1,000 views of the page are worth {amount_text(abs(decision.difference_micros or 0))} less"
    match decision.outcome:
        case AdOutcome.PLACED:
            return f"at position {decision.position}; without it {less}"
        case AdOutcome.RELEVANCE:
            return f"left out: relevance {decision.relevance:g} is below {decision.least_relevance:g}"
        case AdOutcome.SHOWN_EARLIER:
            return "left out: its product was on an earlier page of the visit"
        case AdOutcome.NO_PLACE:
            return "left out: ad load, spacing or its neighbours leave it no position"
        case AdOutcome.WORTH:
            return f"left out: with it {less}"
