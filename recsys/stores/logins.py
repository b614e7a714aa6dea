"""Addresses with a password, before a vendor takes them apart."""

from recsys.addresses import is_login_escaped, masked_url
from recsys.errors import ConfigError


def check_login(url: str, setting: str) -> None:
    """Makes sure that the password in the address ends where it should.

    A vendor would take what follows a `/` or `#` for the host, and show it in messages.

    Raises:
        ConfigError: user or password hold a character that has to be escaped.
    """
    if not is_login_escaped(url):
        raise ConfigError(
            f"{setting} ({masked_url(url)}): user or password hold one of @ / ? # [ ] or a blank. Write it "
            "escaped: %40 for @, %2F for /, %3F for ?, %23 for #."
        )
