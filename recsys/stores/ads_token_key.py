"""The secret that tokens of ads and pages are signed with: one a shop, so that all processes read them."""

from recsys.ads.tokens.keys import TokenKeys
from recsys.config import Settings
from recsys.stores.home_secret import home_secret

_KEY_ID = "a"


def token_keys(settings: Settings) -> TokenKeys:
    """The key of `ads.token_secret`, else that of the home, which is made with the first need of it.

    Raises:
        ConfigError: the secret is too short, or the home's cannot be read or written.
    """
    given = settings.ads.token_secret
    if given is not None:
        return TokenKeys(_KEY_ID, {_KEY_ID: given.get_secret_value().encode()})
    secret = home_secret(settings.paths.ads_key, "the key of ads' tokens", "ads.token_secret")
    return TokenKeys(_KEY_ID, {_KEY_ID: secret})
