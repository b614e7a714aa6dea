"""The secret that tokens of ads and pages are signed with: one a shop, so that all processes read them."""

from recsys.ads.tokens.keys import TokenKeys
from recsys.config import Settings
from recsys.stores.home_secret import home_secret

_KEY_ID = "a"


def origin_secret(settings: Settings) -> bytes | None:
    """The secret that origins of events are hashed with; None where `ads` asks for none of them.

    Raises:
        ConfigError: as of `token_keys`.
    """
    ads = settings.ads
    if ads.velocity_address_clicks is None and ads.velocity_agent_clicks is None:
        return None
    return _secret(settings)


def token_keys(settings: Settings) -> TokenKeys:
    """The key of `ads.token_secret`, else that of the home, which is made with the first need of it.

    Raises:
        ConfigError: the secret is too short, or the home's cannot be read or written.
    """
    return TokenKeys(_KEY_ID, {_KEY_ID: _secret(settings)})


def _secret(settings: Settings) -> bytes:
    given = settings.ads.token_secret
    if given is not None:
        return given.get_secret_value().encode()
    return home_secret(settings.paths.ads_key, "the key of ads' tokens", "ads.token_secret")
