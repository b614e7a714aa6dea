"""Roles of access keys, and what each may do: the one place that says so."""

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a key is for."""

    STOREFRONT = "storefront"
    MERCHANDISER = "merchandiser"
    ADVERTISER = "advertiser"  # of one account, which its keys name
    OPERATOR = "operator"


class Permission(StrEnum):
    """One thing that a caller may do; each route needs one."""

    ANSWERS = "answers"  # recommendations, similar items, search, suggestions, facts of an item
    EVENTS = "events"  # to send what users did
    DESCRIPTION = "description"  # /openapi.json
    MERCHANDISING = "merchandising"  # rules, synonyms and segments
    ANALYTICS = "analytics"  # what people looked for
    HISTORY = "history"  # what one user did
    CATALOG = "catalog"  # to write items and what is known of users
    ADVERTISING = "advertising"  # campaigns and what they delivered: of one's own account, or of all
    OPERATION = "operation"  # metrics, administration, why something is wrong


_STOREFRONT = frozenset({Permission.ANSWERS, Permission.EVENTS, Permission.DESCRIPTION})
_MERCHANDISER = _STOREFRONT | {Permission.MERCHANDISING, Permission.ANALYTICS}

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.STOREFRONT: _STOREFRONT,
    Role.MERCHANDISER: _MERCHANDISER,
    Role.ADVERTISER: frozenset({Permission.ADVERTISING, Permission.DESCRIPTION}),
    Role.OPERATOR: frozenset(Permission),
}


def permissions_of(role: str) -> frozenset[Permission]:
    """What `role` may do; nothing for a role of a newer version, which this one does not know.

    >>> Permission.CATALOG in permissions_of("operator"), permissions_of("auditor")
    (True, frozenset())
    """
    return ROLE_PERMISSIONS[Role(role)] if role in set(Role) else frozenset()


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """The roles that may do it, the narrowest first."""
    return tuple(role for role, may in ROLE_PERMISSIONS.items() if permission in may)
