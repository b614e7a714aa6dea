"""Runs a charge worker once there is an advertiser. Until then it loads little: most shops have none."""

import logging
from threading import Event

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import StoreUnavailableError
from recsys.jobs.preconditions import check_home_writable
from recsys.stores.ads.store import AdsStore

ACCOUNT_SECONDS = 2.0  # between two looks

log = logging.getLogger(__name__)


def charge_once_there_are_ads(settings: Settings, stop: Event) -> None:
    """Waits for the shop's first account, then charges until `stop`; see `run_charges`.

    Raises:
        ConfigError: the home cannot be written, or a newer version made the tables.
    """
    if wait_for_account(settings, stop):
        from recsys.jobs.ads.charging.charge_worker import run_charges  # twice as much to load

        run_charges(settings, stop)


def charge_what_waits(settings: Settings) -> JsonObject:
    """Charges what is there, and what came of it; see `drain_charges`."""
    from recsys.jobs.ads.charging.charge_worker import drain_charges

    return drain_charges(settings).to_json()


def wait_for_account(settings: Settings, stop: Event) -> bool:
    """Returns True once the shop has an account, False when told to stop before that.

    Raises:
        ConfigError: the home cannot be written, or a newer version made the tables.
    """
    check_home_writable(settings)
    told = ""
    while not stop.is_set():
        try:
            if _has_account(settings):
                return True
            found = "ready: waits for the first account of an advertiser"
        except StoreUnavailableError as error:
            found = str(error)
        if found != told:
            told = found
            log.info("%s", told)
        stop.wait(ACCOUNT_SECONDS)
    return False


def _has_account(settings: Settings) -> bool:
    with AdsStore.open(settings) as store:
        return bool(store.accounts())
