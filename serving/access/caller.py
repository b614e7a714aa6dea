"""Who makes a request."""

from dataclasses import dataclass

from starlette.types import Scope

from recsys.access.roles import Permission, Role, permissions_of
from serving.rejections import Rejection

CALLER = "caller"  # in a request's state


@dataclass(frozen=True)
class Caller:
    """Who makes a request, for what it may do and for logs; never the key itself.

    Attributes:
        key_id: of the access key; `settings` for RECSYS_API_KEY, `local` where no key is asked for.
        account: whose the key is, for roles that are bound to an account.
    """

    key_id: str
    role: str
    account: str | None = None

    def may(self, permission: Permission) -> bool:
        """Whether the caller's role has `permission`."""
        return permission in permissions_of(self.role)


@dataclass(frozen=True)
class Admission:
    """What became of a request at the gate.

    Attributes:
        caller: None where no valid key was shown. rejection: None where the request may go on.
    """

    caller: Caller | None
    rejection: Rejection | None = None


LOCAL = Caller("local", Role.OPERATOR)
OF_SETTINGS = Caller("settings", Role.OPERATOR)


def caller_of(scope: Scope) -> Caller | None:
    """The caller that the guard noted; None for a request that showed no valid key."""
    found = scope.get("state", {}).get(CALLER)
    return found if isinstance(found, Caller) else None
