"""Addresses: which of them only this machine can reach, and how to show one without its password."""

import re
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("::ffff:127.0.0.1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_login_escaped(url: str) -> bool:
    """Whether user and password of an address hold none of the characters that would end them early.

    >>> is_login_escaped("redis://:p%40ss@localhost:6379/0"), is_login_escaped("redis://:p@ss/w@localhost")
    (True, False)
    """
    login = url.partition("://")[2].rpartition("@")[0]
    return not any(character in login for character in "@/?#[] ")


def masked_url(url: str) -> str:
    """`url` with `***` for its password, fit for a log.

    >>> masked_url("redis://user:hunter2@localhost:6379/0")
    'redis://user:***@localhost:6379/0'
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return "***"  # not an address: anything may have been pasted here
    login, at, host = rest.rpartition("@")  # the last one: a password may hold any character
    user, colon, _ = login.partition(":")
    host = re.sub(r"(?i)([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&#]*", r"\1***", host)
    return f"{scheme}://{user}{':***' if colon else ''}{at}{host}"
