"""Campaigns over HTTP: operators change all, advertisers their own, and of others nobody learns anything."""

from dataclasses import dataclass
from typing import Any

import pytest

from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.campaigns import CampaignEditing
from recsys.stores.ads.store import AdsStore
from tests.serving.conftest import OpenShop, Shop

BIDDING = {"strategy": "fixed_bid", "bid_micros": 400_000}
NEW = {"name": "summer", "bidding": BIDDING, "lines": [{"name": "main", "items": ["1", "2"]}]}
UNKNOWN_ID, UNKNOWN_NAME = "cmp_0000000000000000", "nobody's"


@dataclass(frozen=True)
class Ads:
    """A shop with the accounts acme and beta, each with the campaign `summer`; beta's has a secret bid."""

    shop: Shop
    key: str
    operator: str
    acme: str
    beta: str
    beta_campaign: str

    def ask(self, method: str, path: str, key: str | None = None, **body: Any) -> Any:
        headers = {"X-API-Key": key or self.key}
        sent = {"json": body["json"]} if "json" in body else {}
        return self.shop.client.request(method, f"/v1/advertising{path}", headers=headers, **sent)

    def told(self, method: str, path: str, **body: Any) -> Any:
        answer = self.ask(method, path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def ads(open_shop: OpenShop) -> Ads:
    shop = open_shop()
    accounts = AccountEditing(shop.ads_home, "ann")
    acme = accounts.create("acme", "UTC").account.account_id
    beta = accounts.create("beta", "UTC").account.account_id
    secret = CampaignOptions(name="secret sale", bid="7.77", items=["3"])
    campaign = CampaignEditing(shop.ads_home, "ann").create("beta", secret).campaign.campaign_id
    key = shop.keys.make("advertiser", "acme-web", account=acme)
    return Ads(shop, key, shop.keys.make("operator", "ops"), acme, beta, campaign)


def test_an_advertiser_makes_changes_stops_and_archives_its_own_campaign(ads: Ads) -> None:
    made = ads.told("POST", "/campaigns", json=NEW)
    assert (made["account"], made["state"], made["version"]) == ("acme", "in review", 1)
    assert ads.told("GET", "/campaigns") == {"campaigns": [made]}
    path = f"/campaigns/{made['campaign_id']}"
    assert ads.told("GET", path) == ads.told("GET", "/campaigns/summer") == made
    changed = ads.told(
        "PATCH",
        path,
        json={
            "version": 1,
            "budget_day_micros": 5_000_000,
            "targets": {"categories": ["Pasta"], "keywords": ["[penne]"]},
            "frequency_cap": {"count": 3, "window_seconds": 86_400},
            "starts_on": "2026-06-01",
            "lines": [{"name": "sauces", "items": ["5"], "bid_micros": 250_000}],
        },
    )
    assert (changed["version"], changed["budget_day_micros"]) == (2, 5_000_000)
    assert changed["targets"]["keywords"] == ["[penne]"]
    assert [(line["name"], line["items"]) for line in changed["lines"]] == [
        ("main", ["1", "2"]),
        ("sauces", ["5"]),
    ]
    bounds = {"version": 2, "budget_day_micros": None, "starts_on": None, "frequency_cap": None}
    changed = ads.told("PATCH", path, json=bounds)
    assert (changed["budget_day_micros"], changed["starts_on"], changed["frequency_cap"]) == (
        None,
        None,
        None,
    )
    for version, action in ((3, "pause"), (4, "resume"), (5, "archive")):
        body = {"version": version, "action": action, "remark": "season"}
        changed = ads.told("POST", f"{path}/status", json=body)
    assert changed["status"] == "archived"
    assert ads.told("GET", "/campaigns") == {"campaigns": []}
    assert len(ads.told("GET", "/campaigns?archived=true")["campaigns"]) == 1
    changes = ads.told("GET", f"{path}/history")["changes"]
    assert [each["action"] for each in changes] == [
        "create",
        "change",
        "change",
        "pause",
        "resume",
        "archive",
    ]
    assert {each["by"] for each in changes} == {f"key acme-web {ads.key.split('_')[1]}"}
    assert changes[-1]["remark"] == "season"


def test_an_operator_reviews_and_makes_accounts_and_an_advertiser_does_not(ads: Ads) -> None:
    path = f"/campaigns/{ads.told('POST', '/campaigns', json=NEW)['campaign_id']}"
    for method, closed, body in (
        ("POST", f"{path}/review", {"version": 1}),
        ("POST", "/accounts", {"name": "gamma", "time_zone": "UTC"}),
        ("PATCH", "/accounts/acme", {"version": 1, "name": "gamma"}),
    ):
        answer = ads.ask(method, closed, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    rejected = ads.told("POST", f"{path}/review", key=ads.operator, json={"version": 1, "reject": "No logo"})
    assert (rejected["state"], rejected["review"]["reason"]) == ("rejected", "No logo")
    approved = ads.told("POST", f"{path}/review", key=ads.operator, json={"version": 2})
    assert approved["state"] == "running"
    made = ads.told("POST", "/accounts", key=ads.operator, json={"name": "gamma", "time_zone": "UTC"})
    assert (made["name"], made["version"]) == ("gamma", 1)
    body = {"version": 1, "budget_day_micros": 9_000_000, "remark": "more"}
    changed = ads.told("PATCH", f"/accounts/{made['account_id']}", key=ads.operator, json=body)
    assert (changed["budget_day_micros"], changed["version"]) == (9_000_000, 2)
    names = [each["name"] for each in ads.told("GET", "/accounts", key=ads.operator)["accounts"]]
    assert names == ["acme", "beta", "gamma"]


def test_a_change_of_an_older_version_is_refused_and_changes_nothing(ads: Ads) -> None:
    path = f"/campaigns/{ads.told('POST', '/campaigns', json=NEW)['campaign_id']}"
    ads.told("PATCH", path, json={"version": 1, "quality_floor": 0.2})
    before = ads.told("GET", path)
    for method, where, body in (
        ("PATCH", path, {"version": 1, "quality_floor": 0.3}),
        ("PATCH", path, {"version": 3, "quality_floor": 0.3}),
        ("POST", f"{path}/status", {"version": 1, "action": "pause"}),
        ("POST", f"{path}/review", {"version": 1}),
    ):
        answer = ads.ask(method, where, key=ads.operator, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_version")
    account = ads.ask("PATCH", "/accounts/acme", key=ads.operator, json={"version": 7, "name": "other"})
    assert account.status_code == 409
    assert ads.told("GET", path) == before


ROUTES = [
    ("GET", "", None),
    ("PATCH", "", {"version": 1, "quality_floor": 0.5}),
    ("PATCH", "", {"version": 99, "quality_floor": 0.5}),
    ("POST", "/status", {"version": 1, "action": "pause"}),
    ("POST", "/status", {"version": 1, "action": "pause", "line": "main"}),
    ("GET", "/report", None),
    ("GET", "/report?from=2026-01-01&to=2026-01-02", None),
    ("GET", "/why-not", None),
    ("GET", "/history", None),
]


def same(one: Any, asked: str, other: Any, unknown: str) -> None:
    """Both answers are the same but for what was asked and the ids of the requests."""
    told = []
    for answer, name in ((one, asked), (other, unknown)):
        error = answer.json()["error"]
        error.pop("request_id")
        told.append((answer.status_code, str(error).replace(name, "NAME")))
    assert told[0] == told[1]
    assert told[0][0] == 404


@pytest.mark.parametrize(("method", "more", "body"), ROUTES)
def test_anothers_campaign_answers_as_one_that_is_not_there(
    ads: Ads, method: str, more: str, body: Any
) -> None:
    sent = {} if body is None else {"json": body}
    for theirs, unknown in ((ads.beta_campaign, UNKNOWN_ID), ("secret sale", "hidden sale")):
        found = ads.ask(method, f"/campaigns/{theirs}{more}", **sent)
        same(found, theirs, ads.ask(method, f"/campaigns/{unknown}{more}", **sent), unknown)
    with AdsStore.open(ads.shop.ads_home) as store:
        assert store.campaign(ads.beta_campaign).version == 1


def test_anothers_account_answers_as_one_that_is_not_there(ads: Ads) -> None:
    for theirs, unknown in ((ads.beta, "acc_0000000000000000"), ("beta", "zeta")):
        for method, path, body in (
            ("GET", f"/accounts/{theirs}", None),
            ("GET", f"/campaigns?account={theirs}", None),
            ("POST", "/campaigns", {**NEW, "account": theirs}),
        ):
            sent = {} if body is None else {"json": body}
            missing = {} if body is None else {"json": {**body, "account": unknown}}
            found = ads.ask(method, path, **sent)
            same(found, theirs, ads.ask(method, path.replace(theirs, unknown), **missing), unknown)


def test_lists_names_and_mistakes_tell_nothing_of_others(ads: Ads) -> None:
    answers = [
        ads.ask("GET", "/accounts"),
        ads.ask("GET", "/campaigns"),
        ads.ask("GET", "/campaigns?archived=true"),
        ads.ask("GET", "/campaigns/secret sal"),  # near enough for a question whether that was meant
        ads.ask("GET", "/accounts/bet"),
        ads.ask("POST", "/campaigns", json={**NEW, "lines": [{"name": "main", "items": ["77"]}]}),
    ]
    for answer in answers:
        for secret in (ads.beta, "beta", ads.beta_campaign, "secret sale", "7770000", "7.77"):
            assert secret not in answer.text.replace("'secret sal'", "").replace("'bet'", "")
    taken_elsewhere = ads.ask("POST", "/campaigns", json={**NEW, "name": "secret sale"})
    assert taken_elsewhere.status_code == 200, "names are unique in an account, not in the shop"


def test_an_advertisers_key_without_an_account_sees_nothing(ads: Ads) -> None:
    loose = ads.shop.keys.make("advertiser", "loose")
    for path in ("/accounts", "/campaigns", f"/campaigns/{ads.beta_campaign}"):
        answer = ads.ask("GET", path, key=loose)
        assert (answer.status_code, answer.json()["error"]["message"]) == (403, "the key is of no account")
    gone = ads.shop.keys.make("advertiser", "gone", account="acc_gone")
    assert ads.told("GET", "/accounts", key=gone) == {"accounts": []}
    assert ads.told("GET", "/campaigns", key=gone) == {"campaigns": []}
    assert ads.ask("POST", "/campaigns", key=gone, json=NEW).status_code == 404


def test_what_cannot_be_is_named(ads: Ads) -> None:
    for body, message in (
        ({**NEW, "bidding": {"strategy": "fixed_bid"}}, "needs `bid_micros`"),
        (
            {**NEW, "bidding": {**BIDDING, "target_percent": 400}},
            "`target_percent` is of the strategy target_roas",
        ),
        ({"name": "x", "lines": NEW["lines"]}, "a new campaign needs `bidding`"),
        ({"name": "x", "bidding": BIDDING}, "a new campaign needs `lines`"),
        ({**NEW, "starts_on": "2026-02-30"}, "starts_on '2026-02-30' is no day"),
        ({**NEW, "targets": {"keywords": ['"']}}, "is no keyword"),
        ({**NEW, "budget_day_micros": 100}, "nothing could ever be paid"),
        ({**NEW, "targets": {"segment": "user.nothing = 1"}}, "segment"),
    ):
        answer = ads.ask("POST", "/campaigns", json=body)
        assert answer.status_code == 422, answer.text
        assert message in answer.json()["error"]["message"]
    operator = ads.ask("POST", "/campaigns", key=ads.operator, json=NEW)
    assert "Give `account`" in operator.json()["error"]["message"]
    made = ads.told("POST", "/campaigns", json=NEW)
    nothing = ads.ask("PATCH", f"/campaigns/{made['campaign_id']}", json={"version": 1})
    assert "nothing is to be changed" in nothing.json()["error"]["message"]
    assert (
        ads.ask("POST", "/campaigns", json=NEW)
        .json()["error"]["message"]
        .startswith("the name 'summer' is taken")
    )


def test_report_and_why_not_are_told(ads: Ads) -> None:
    ads.told("POST", "/campaigns", json=NEW)
    found = ads.told("GET", "/campaigns/summer/report?from=2026-05-01&to=2026-05-02")
    assert [day["day"] for day in found["days"]] == ["2026-05-01", "2026-05-02"]
    assert (found["total"]["requests"], found["total"]["clicks"]) == (0, 0)
    reasons = ads.told("GET", "/campaigns/summer/why-not")
    assert [each["step"] for each in reasons["obstacles"]] == ["review"]
    assert reasons["last_24_hours"]["message"] is None
