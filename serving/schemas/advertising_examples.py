"""Examples of accounts and campaigns over HTTP: bodies, parameters and answers; of the demo shop."""

from typing import Any

from recsys.documents import JsonObject

_BIDDING = {"strategy": "fixed_bid", "bid_micros": 400_000}
_NEW: JsonObject = {
    "account": "acme",
    "name": "summer",
    "bidding": _BIDDING,
    "budget_day_micros": 50_000_000,
    "targets": {"categories": ["PASTA"], "keywords": ["pasta", "[penne]", '-"gluten free"']},
    "lines": [{"name": "main", "items": ["1029743", "1082185"]}],
}
ACCOUNT_EXAMPLES: dict[str, Any] = {
    "by bill": {"value": {"name": "acme", "time_zone": "Asia/Shanghai", "budget_day_micros": 500_000_000}}
}
ACCOUNT_CHANGE_EXAMPLES: dict[str, Any] = {
    "more to spend": {"value": {"version": 1, "budget_day_micros": 800_000_000, "remark": "for the holidays"}}
}
CAMPAIGN_EXAMPLES: dict[str, Any] = {"two items on pages of pasta": {"value": _NEW}}
CAMPAIGN_CHANGE_EXAMPLES: dict[str, Any] = {
    "another bid": {"value": {"version": 1, "bidding": {**_BIDDING, "bid_micros": 500_000}}}
}
STATUS_EXAMPLES: dict[str, Any] = {
    "out of stock": {"value": {"version": 1, "action": "pause", "remark": "out of stock"}}
}
REVIEW_EXAMPLES: dict[str, Any] = {"rejected": {"value": {"version": 1, "reject": "The items are not food"}}}
WHICH_ACCOUNT_EXAMPLES: dict[str, Any] = {"by name": {"value": "acme"}}
WHICH_CAMPAIGN_EXAMPLES: dict[str, Any] = {"by id": {"value": "cmp_3f2a9c1b7d5e4a60"}}
DAY_EXAMPLES: dict[str, Any] = {"a day": {"value": "2026-05-01"}}
ARCHIVED_EXAMPLES: dict[str, Any] = {"archived ones too": {"value": True}}
ACCOUNT = {
    "account_id": "acc_6b1f0c2d9e8a7b35",
    "name": "acme",
    "time_zone": "Asia/Shanghai",
    "budget_day_micros": 500_000_000,
    "prepaid": False,
    "currency": "USD",
    "version": 1,
    "changed_at": "2026-05-01T08:00:00Z",
    "campaigns": 1,
}
ACCOUNTS = {"accounts": [ACCOUNT]}
_DOCUMENT = {
    "campaign_id": "cmp_3f2a9c1b7d5e4a60",
    "account_id": "acc_6b1f0c2d9e8a7b35",
    "name": "summer",
    "status": "active",
    "review": {"state": "approved", "reason": ""},
    "pricing": "cpc",
    "bidding": {"strategy": "fixed_bid", "bid_micros": 400_000, "target_percent": None},
    "budget_day_micros": 50_000_000,
    "budget_total_micros": None,
    "starts_on": "2026-06-01",
    "ends_on": None,
    "targets": {"categories": ["PASTA"], "items": [], "keywords": ["pasta"], "segment": None, "surfaces": []},
    "placement_percents": {"search": 150},
    "quality_floor": 0.0,
    "frequency_cap": {"count": 3, "window_seconds": 86_400},
    "never_beside": [],
    "lines": [
        {
            "line_id": "lin_8d4e2f6a1c3b5079",
            "name": "main",
            "status": "active",
            "bid_micros": None,
            "budget_day_micros": None,
            "budget_total_micros": None,
            "items": ["1029743", "1082185"],
        }
    ],
}
CAMPAIGN = {
    "account": "acme",
    "state": "running",
    "currency": "USD",
    **_DOCUMENT,
    "version": 1,
    "changed_at": "2026-05-01T08:00:00Z",
}
CAMPAIGNS = {"campaigns": [CAMPAIGN]}
HISTORY = {
    "changes": [
        {
            "at": "2026-05-01T08:00:00Z",
            "by": "key acme",
            "kind": "campaign",
            "entity_id": "cmp_3f2a9c1b7d5e4a60",
            "account_id": "acc_6b1f0c2d9e8a7b35",
            "version": 1,
            "action": "create",
            "before": None,
            "after": _DOCUMENT,
            "changed_by": "key acme",
            "changed_at": "2026-05-01T08:00:00Z",
            "remark": "",
        }
    ]
}
_DELIVERED = {
    "requests": 24_000,
    "eligible": 22_000,
    "matched": 7000,
    "auctions": 3150,
    "won": 860,
    "lost": {
        "running": 2000,
        "targets": 15_000,
        "quality": 400,
        "floor": 1200,
        "budget": 300,
        "pacing": 1800,
        "cap": 150,
        "outbid": 2200,
        "page": 90,
    },
    "win_rate": 0.273,
    "share_of_voice": 0.1229,
}
_TOTAL = {
    **_DELIVERED,
    "viewable": None,
    "clicks": 9,
    "click_rate": 0.0105,
    "purchases": None,
    "value_micros": None,
    "spend_micros": 2_700_000,
    "average_price_micros": 300_000,
    "returned_micros": 0,
    "lost_micros": 0,
    "billed_events": 9,
    "free_events": 0,
}
REPORT = {
    "account": "acme",
    "campaign": "summer",
    "campaign_id": "cmp_3f2a9c1b7d5e4a60",
    "time_zone": "Asia/Shanghai",
    "currency": "USD",
    "held_out_requests": 1200,
    "lost_seconds": 0.0,
    "gaps": [],
    "counted_since": None,
    "days": [
        {
            "day": "2026-06-01",
            **_TOTAL,
            "forecast": {"clicks": {"expected": 8.2, "actual": 9, "within": True, "error": 0.8}},
        }
    ],
    "total": _TOTAL,
}
WHY_NOT = {
    "obstacles": [],
    "last_24_hours": {
        **_DELIVERED,
        "largest_loss": "outbid",
        "message": "2,200 of the 3,150 requests that came so far: others ranked before it. Raise --bid.",
    },
}
