"""Each route needs a permission, and each role may what the table says: no more."""

import re
from typing import Any

import pytest

from recsys.access.roles import ROLE_PERMISSIONS, Permission, Role, permissions_of, roles_with
from serving.access.permissions import ROUTE_PERMISSIONS, RouteTable
from serving.middleware import OPEN_PATHS

BENTO_PATHS = {"/schema.json"}  # of serving.service, which imports BentoML
STOREFRONT = {Permission.ANSWERS, Permission.EVENTS, Permission.DESCRIPTION}
PATHS = {
    "{item_id:path}": "apple",
    "{rule_id}": "pasta",
    "{set_name}": "english",
    "{account}": "acme",
    "{campaign}": "summer",
}
BODIES: dict[str, Any] = {
    "/v1/recommend": {"user_id": "ann"},
    "/v1/recommend:batch": {"requests": []},
    "/recommend_batch": {"requests": []},
    "/v1/similar": {"item_id": "apple"},
    "/v1/events": [],
    "/v1/rules/pasta": {"do": [{"action": "note", "note": "x"}]},
    "/v1/advertising/accounts": {"name": "acme", "time_zone": "UTC"},
    "/v1/advertising/accounts/acme": {"version": 1, "name": "beta"},
    "/v1/advertising/campaigns": {},
    "/v1/advertising/campaigns/summer": {"version": 1},
    "/v1/advertising/campaigns/summer/status": {"version": 1, "action": "pause"},
    "/v1/advertising/campaigns/summer/review": {"version": 1},
    "/v1/synonyms/english": {"enabled": False, "synonyms": [{"left": ["sofa"], "right": ["couch"]}]},
}


def test_every_route_has_a_permission_or_is_open(shop) -> None:
    routes = {(method, route.path) for route in shop.client.app.routes for method in route.methods}
    routes |= {("GET", path) for path in BENTO_PATHS}
    without = {(method, path) for method, path in routes if path not in OPEN_PATHS} - set(ROUTE_PERMISSIONS)
    assert without == set()
    assert not {path for _, path in ROUTE_PERMISSIONS} & OPEN_PATHS


def test_every_permission_of_the_table_belongs_to_a_route_that_is_there(shop) -> None:
    routes = {(method, route.path) for route in shop.client.app.routes for method in route.methods}
    assert set(ROUTE_PERMISSIONS) - routes == {("GET", path) for path in BENTO_PATHS}


def test_a_role_may_what_a_narrower_one_may() -> None:
    assert list(ROLE_PERMISSIONS) == list(Role)
    assert permissions_of("storefront") == STOREFRONT
    assert permissions_of("merchandiser") == STOREFRONT | {Permission.MERCHANDISING, Permission.ANALYTICS}
    assert permissions_of("operator") == set(Permission)
    assert permissions_of("advertiser") == {Permission.ADVERTISING, Permission.DESCRIPTION}
    assert permissions_of("auditor") == frozenset(), "a newer version's role may nothing here"
    assert roles_with(Permission.HISTORY) == (Role.OPERATOR,)


def test_paths_with_ids_are_found_by_their_form() -> None:
    table = RouteTable()
    assert table.methods_of("/v1/items/a/b c") == {"GET": Permission.ANSWERS}
    assert table.methods_of("/v1/items") == {}
    assert table.methods_of("/V1/RECOMMEND") == {}
    assert table.methods_of("/v1/recommend/") == {}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("method", "template"), list(ROUTE_PERMISSIONS))
def test_a_route_is_open_to_the_roles_that_may_and_closed_to_others(
    open_shop, role: Role, method: str, template: str
) -> None:
    shop = open_shop()
    account = "acc_1" if role is Role.ADVERTISER else None
    headers = {"X-API-Key": shop.keys.make(role, account=account)}
    path = re.sub(r"\{[^}]*\}", lambda found: PATHS[found[0]], template)
    answer = shop.client.request(method, path, headers=headers, json=BODIES.get(path))
    may = ROUTE_PERMISSIONS[method, template] in permissions_of(role)
    assert (answer.status_code != 403) is may, answer.text
    if not may:
        error = answer.json()["error"]
        assert error["code"] == "forbidden"
        assert f"the role {role} of key" in error["message"]
        assert "operator" in error["remedy"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/v1/recommend", 405), ("DELETE", "/v1/items/apple", 405)],
)
def test_what_is_not_in_the_table_is_answered_before_a_router_sees_it(
    open_shop, method: str, path: str, status: int
) -> None:
    shop = open_shop()
    operator, storefront = shop.keys.make("operator", "ops"), shop.keys.make("storefront", "web")

    @shop.client.app.get("/v1/forgotten")
    async def forgotten() -> str:
        return "a route that nobody put into the table"

    for key in (operator, storefront):
        assert shop.client.request(method, path, headers={"X-API-Key": key}).status_code == status
    statuses = [
        shop.client.get("/v1/forgotten", headers={"X-API-Key": key}).status_code
        for key in (operator, storefront)
    ]
    assert statuses == [200, 404]


def test_the_description_names_the_roles_of_each_route(shop) -> None:
    paths = shop.client.get("/openapi.json").json()["paths"]
    assert paths["/v1/items/{item_id}"]["get"]["x-roles"] == ["storefront", "merchandiser", "operator"]
    assert paths["/v1/history"]["get"]["x-roles"] == ["operator"]
    closed = [operation for methods in paths.values() for operation in methods.values()]
    assert all(("x-roles" in operation) != (operation.get("security") == []) for operation in closed)
