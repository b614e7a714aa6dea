"""Rules and synonyms are listed and changed over HTTP, and the history names the key."""

from typing import Any

RULE = {"when": {"query_is": ["pasta"]}, "do": [{"action": "pin", "item": "apple", "position": 1}]}
SOFA = {"synonyms": [{"left": ["sofa"], "right": ["couch"], "two_way": False}]}
BACK = {"synonyms": [{"left": ["couch"], "right": ["sofa"], "two_way": False}]}


def put(shop: Any, path: str, body: Any) -> Any:
    return shop.client.put(path, json=body)


def error(answer: Any) -> tuple[int, str, str]:
    found = answer.json()["error"]
    return answer.status_code, found["code"], found["message"]


def test_a_rule_is_added_listed_and_removed(open_shop) -> None:
    shop = open_shop()
    headers = {"X-API-Key": shop.keys.make("merchandiser", "ann")}
    added = shop.client.put("/v1/rules/pasta", json=RULE, headers=headers)
    assert (added.status_code, added.json()) == (200, {"version": 1, "entry_version": 1})
    [rule] = shop.client.get("/v1/rules", headers=headers).json()["rules"]
    assert (rule["id"], rule["name"], rule["version"], rule["do"]) == ("pasta", "pasta", 1, RULE["do"])
    removed = shop.client.delete("/v1/rules/pasta", headers=headers)
    assert removed.json() == {"version": 2, "entry_version": None}
    assert shop.client.get("/v1/rules", headers=headers).json() == {"version": 2, "rules": []}
    [author] = {each.name for each in shop.rules.authors}
    assert author.startswith("key ")
    assert author != "key local"


def test_what_is_wrong_with_a_rule_is_said_and_changes_nothing(shop) -> None:
    status, code, message = error(put(shop, "/v1/rules/pasta", {"do": [{"action": "pim"}]}))
    assert (status, code) == (422, "invalid_request")
    assert "rule 'pasta', action 1: action is 'pim'. Write one of pin" in message
    segment = {**RULE, "when": {"segment": "nobody"}}
    assert "names the segment 'nobody'" in error(put(shop, "/v1/rules/pasta", segment))[2]
    assert error(put(shop, "/v1/rules/a b", RULE))[0] == 422
    assert error(put(shop, "/v1/rules/pasta", {**RULE, "id": "other"}))[0] == 422
    assert error(shop.client.delete("/v1/rules/pasta"))[:2] == (404, "unknown_entry")
    assert shop.rules.authors == []


def test_synonyms_are_switched_on_over_http_only_by_force_which_is_recorded(shop) -> None:
    assert "recsys search synonyms check" in shop.client.put("/v1/synonyms/en", json=SOFA).text
    assert put(shop, "/v1/synonyms/en", {**SOFA, "enabled": False}).json()["version"] == 1
    assert put(shop, "/v1/synonyms/en?force=true", SOFA).json()["version"] == 2
    assert [each.remark for each in shop.rules.authors] == ["", "forced: over HTTP no query set is asked"]
    found = shop.client.get("/v1/synonyms/en").json()
    assert found["synonyms"] == [{"left": ["sofa"], "right": ["couch"], "two_way": False, "weight": 0.7}]
    assert "circle" in error(put(shop, "/v1/synonyms/back?force=true", BACK))[2]
    assert [each["name"] for each in shop.client.get("/v1/synonyms").json()["synonym_sets"]] == ["en"]
    assert shop.client.delete("/v1/synonyms/en").json()["version"] == 3
    assert error(shop.client.get("/v1/synonyms/en"))[:2] == (404, "unknown_entry")
    assert error(shop.client.delete("/v1/synonyms/en"))[:2] == (404, "unknown_entry")
