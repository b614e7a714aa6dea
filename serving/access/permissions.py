"""Which permission each route needs. What is not named here is for operators only."""

import re
from collections.abc import Mapping

from starlette.routing import compile_path

from recsys.access.roles import Permission

ROUTE_PERMISSIONS: Mapping[tuple[str, str], Permission] = {
    ("POST", "/v1/recommend"): Permission.ANSWERS,
    ("POST", "/v1/recommend:batch"): Permission.ANSWERS,
    ("POST", "/recommend_batch"): Permission.ANSWERS,
    ("POST", "/v1/similar"): Permission.ANSWERS,
    ("POST", "/v1/search"): Permission.ANSWERS,
    ("GET", "/v1/suggest"): Permission.ANSWERS,
    ("POST", "/v1/ads"): Permission.ANSWERS,  # `explain` needs OPERATION
    ("POST", "/v1/page"): Permission.ANSWERS,
    ("GET", "/v1/items/{item_id:path}"): Permission.ANSWERS,
    ("POST", "/v1/events"): Permission.EVENTS,  # items and users in it need CATALOG, row by row
    ("GET", "/v1/history"): Permission.HISTORY,
    ("GET", "/v1/rules"): Permission.MERCHANDISING,
    ("PUT", "/v1/rules/{rule_id}"): Permission.MERCHANDISING,
    ("DELETE", "/v1/rules/{rule_id}"): Permission.MERCHANDISING,
    ("GET", "/v1/synonyms"): Permission.MERCHANDISING,
    ("GET", "/v1/synonyms/{set_name}"): Permission.MERCHANDISING,
    ("PUT", "/v1/synonyms/{set_name}"): Permission.MERCHANDISING,
    ("DELETE", "/v1/synonyms/{set_name}"): Permission.MERCHANDISING,
    ("GET", "/v1/advertising/accounts"): Permission.ADVERTISING,
    ("POST", "/v1/advertising/accounts"): Permission.OPERATION,
    ("GET", "/v1/advertising/accounts/{account}"): Permission.ADVERTISING,
    ("PATCH", "/v1/advertising/accounts/{account}"): Permission.OPERATION,
    ("GET", "/v1/advertising/campaigns"): Permission.ADVERTISING,
    ("POST", "/v1/advertising/campaigns"): Permission.ADVERTISING,
    ("GET", "/v1/advertising/campaigns/{campaign}"): Permission.ADVERTISING,
    ("PATCH", "/v1/advertising/campaigns/{campaign}"): Permission.ADVERTISING,
    ("POST", "/v1/advertising/campaigns/{campaign}/status"): Permission.ADVERTISING,
    ("POST", "/v1/advertising/campaigns/{campaign}/review"): Permission.OPERATION,
    ("GET", "/v1/advertising/campaigns/{campaign}/report"): Permission.ADVERTISING,
    ("GET", "/v1/advertising/campaigns/{campaign}/why-not"): Permission.ADVERTISING,
    ("GET", "/v1/advertising/campaigns/{campaign}/history"): Permission.ADVERTISING,
    ("GET", "/metrics"): Permission.OPERATION,
    ("GET", "/openapi.json"): Permission.DESCRIPTION,
    ("HEAD", "/openapi.json"): Permission.DESCRIPTION,
    ("GET", "/schema.json"): Permission.DESCRIPTION,  # of BentoML's client
}


class RouteTable:
    """Finds what a request needs by its method and path, before a router sees it."""

    def __init__(self, permissions: Mapping[tuple[str, str], Permission] = ROUTE_PERMISSIONS) -> None:
        self._by_path: dict[str, dict[str, Permission]] = {}
        self._by_pattern: dict[re.Pattern[str], dict[str, Permission]] = {}
        for (method, template), permission in permissions.items():
            if "{" in template:
                self._by_pattern.setdefault(compile_path(template)[0], {})[method] = permission
            else:
                self._by_path.setdefault(template, {})[method] = permission

    def methods_of(self, path: str) -> Mapping[str, Permission]:
        """Method -> the permission that it needs, of the route at `path`; empty where none is named."""
        found = self._by_path.get(path)
        if found is None:
            matching = (each for pattern, each in self._by_pattern.items() if pattern.match(path))
            found = next(matching, {})
        return found
