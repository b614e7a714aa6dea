"""By which names the service may be called, and from which pages: what keeps other web sites out.

A page of any site can have its visitor's browser send requests to this machine. Their `Origin` tells such
a page. Where the page's own name was made to point at this machine (DNS rebinding), the origin looks like
ours, and only the name in `Host` tells.
"""

import re
from collections.abc import Collection

from starlette.datastructures import Headers

from recsys.addresses import is_loopback
from serving.rejections import Rejection

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@\s]+?)\.?(?::[0-9]{0,5})?", re.IGNORECASE)


def host_name(host: str) -> str | None:
    """The name or address in a `Host` header, in lower case, without port; None where it is not a valid one.

    >>> host_name("Shop.Example.:3000"), host_name("[::1]:3000"), host_name("user@localhost")
    ('shop.example', '::1', None)
    """
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else None


def check_host(headers: Headers, http_version: str, names: Collection[str]) -> Rejection | None:
    """What is wrong with the request's `Host`; None if it names this machine or one of `names`.

    Names of this machine are `localhost` and every loopback address, with any port. A request of HTTP/1.0
    may come without a host: no browser sends such a request.
    """
    hosts = headers.getlist("Host")
    if not hosts and http_version == "1.0":
        return None
    name = host_name(hosts[0]) if len(hosts) == 1 else None
    if name is None:
        shown = ascii(", ".join(hosts))[:100]
        return Rejection(400, f"{shown} is not a valid Host", "Send one Host header.")
    if is_loopback(name) or name in names:
        return None
    return Rejection(
        421,
        f"the service does not answer under the name {name[:100]!a}",
        "Use 127.0.0.1 or localhost, or add the name to the setting serving.allowed_hosts.",
    )


def check_origin(headers: Headers, origins: Collection[str]) -> Rejection | None:
    """What is wrong with the request's `Origin`; None if it has none, is of this host or one of `origins`."""
    given = headers.getlist("Origin")
    if not given or "*" in origins:
        return None
    origin = given[0] if len(given) == 1 else ""
    scheme, _, host = origin.lower().partition("://")
    if origin in origins or (scheme in ("http", "https") and host == headers.get("Host", "").lower()):
        return None
    return Rejection(
        403,
        f"the service does not answer pages of {', '.join(given)[:100]!a}",
        "Add the origin to the setting serving.cors_origins if that page may call it.",
    )
