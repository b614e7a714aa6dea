"""A comparison of simulated policies as rows for people, and as JSON."""

import math

from recsys.documents import JsonObject
from recsys.simulation.ads.comparison import LEAST_DAYS, Difference, Interval, PolicyComparison, interval_of
from recsys.simulation.ads.measures import ENOUGH_DEMAND, MANY_CHARGES, Measure

# What people read, and how a value is written: money a day, a share, or a plain number.
LABELS = {
    "revenue": ("revenue a day", "money"),
    "welfare": ("advertisers' value a day", "money"),
    "surplus": ("advertisers' surplus a day", "money"),
    "relevance": ("relevance: attraction of what was shown", "share"),
    "clicks_per_request": ("clicks a request", "number"),
    "filled": ("slots filled", "share"),
    "explored": ("of them by exploration", "share"),
    "over_budget": ("events over the budget, free", "share"),
    "budget_use": ("spent of all budgets", "share"),
    "spent_of_budget": (f"spent, demand {ENOUGH_DEMAND} or more", "share"),
    "spent_of_budget_many": (f"the same, {MANY_CHARGES:,} charges or more", "share"),
    "pacing_error": ("distance from the plan, mean", "share"),
    "pacing_error_many": (f"the same, {MANY_CHARGES:,} charges or more", "share"),
    "pacing_error_many_max": ("the same, the largest", "share"),
}


def measure_rows(comparison: PolicyComparison) -> list[JsonObject]:
    """A line for each measure, a column for each policy: mean over days with its interval."""
    names = [run.policy.name for run in comparison.runs]
    return [
        {"measure": _label(measure)[0]}
        | {name: _cell(found[measure]) for name, found in zip(names, comparison.measures, strict=True)}
        for measure in comparison.measures[0]
    ]


def difference_rows(comparison: PolicyComparison) -> list[JsonObject]:
    """A line for each measure that tells one policy from another."""
    return [
        {
            "measure": _label(each.measure)[0],
            "policy": each.policy,
            "less": each.against,
            "difference a day": _interval_text(each.interval, _label(each.measure)[1]),
            "relative": "-" if each.relative is None else f"{each.relative:+.1%}",
            "verdict": each.verdict,
        }
        for each in comparison.differences
        if each.verdict != "not judged"
    ]


def verdict_lines(comparison: PolicyComparison) -> list[str]:
    """For each pair in one sentence: on which measures the one is better, and on which it is worse."""
    if len(comparison.runs[0].tally.requests) < LEAST_DAYS:
        return [f"a difference is judged by its interval over days: simulate --days {LEAST_DAYS} or more"]
    lines = []
    for pair in dict.fromkeys((each.policy, each.against) for each in comparison.differences):
        of_pair = [each for each in comparison.differences if (each.policy, each.against) == pair]
        better = [_brief(each) for each in of_pair if each.verdict == "better"]
        worse = [_brief(each) for each in of_pair if each.verdict == "worse"]
        lines.append(
            f"{pair[0]} against {pair[1]}: better on {', '.join(better) or 'nothing'}; "
            f"worse on {', '.join(worse) or 'nothing'}"
        )
    return lines


def headline(comparison: PolicyComparison) -> str:
    """What was simulated."""
    market, tally = comparison.market, comparison.runs[0].tally
    return (
        f"{int(tally.requests.sum()):,} auctions in {len(tally.requests)} days, "
        f"{len(market.accounts)} accounts, {len(market.campaigns)} campaigns, {len(market.ads)} ads; "
        f"pacing is judged by {len(comparison.paced.enough)} budgets a day with enough "
        f"demand, {len(comparison.paced.many)} of {MANY_CHARGES:,} charges or more"
    )


def comparison_json(comparison: PolicyComparison) -> JsonObject:
    """What `--json` prints: numbers as they are, money in units of the currency."""
    tally = comparison.runs[0].tally
    return {
        "auctions": int(tally.requests.sum()),
        "days": len(tally.requests),
        "seed": comparison.market.seed,
        "campaigns": len(comparison.market.campaigns),
        "budget_days": {
            "enough_demand": len(comparison.paced.enough),
            "many_charges": len(comparison.paced.many),
        },
        "policies": [
            {"name": run.policy.name, "measures": {name: _measure_json(each) for name, each in found.items()}}
            for run, found in zip(comparison.runs, comparison.measures, strict=True)
        ],
        "differences": [
            {
                "measure": each.measure,
                "policy": each.policy,
                "against": each.against,
                **_interval_json(each.interval),
                "relative": each.relative,
                "verdict": each.verdict,
            }
            for each in comparison.differences
        ],
        "verdicts": verdict_lines(comparison),
    }


def _label(name: str) -> tuple[str, str]:
    """Words for a measure, and its unit."""
    if name in LABELS:
        return LABELS[name]
    kind, _, slot = name.partition("_slot_")
    return f"{kind.upper()} of slot {slot}", "fine share" if kind == "ece" else "number"


def _cell(measure: Measure) -> str:
    unit = _label(measure.name)[1]
    interval = interval_of(measure.by_day)
    if interval is None or measure.name.endswith("_max"):
        return _text(measure.total, unit)
    return _interval_text(interval, unit)


def _interval_text(interval: Interval, unit: str) -> str:
    text = _text(interval.mean, unit)
    if interval.low is None or interval.high is None:
        return text
    return f"{text} [{_text(interval.low, unit)}, {_text(interval.high, unit)}]"


def _text(value: float, unit: str) -> str:
    if math.isnan(value):
        return "-"
    if unit == "money":
        return f"{value:,.2f}"
    if unit == "share":
        return f"{value:.2%}"
    return f"{value:.5f}" if unit == "fine share" else f"{value:.4f}"


def _brief(difference: Difference) -> str:
    label = _label(difference.measure)[0]
    if label.startswith("the same"):
        label = f"{_label(difference.measure.replace('_many', '').replace('_max', ''))[0]} ({label[10:]})"
    return label if difference.relative is None else f"{label} ({difference.relative:+.1%})"


def _measure_json(measure: Measure) -> JsonObject:
    interval = interval_of(measure.by_day)
    by_day = [None if math.isnan(value) else value for value in measure.by_day.tolist()]
    total = None if math.isnan(measure.total) else measure.total
    return {"total": total, "by_day": by_day, **({} if interval is None else _interval_json(interval))}


def _interval_json(interval: Interval) -> JsonObject:
    return {"mean_a_day": interval.mean, "low": interval.low, "high": interval.high}
