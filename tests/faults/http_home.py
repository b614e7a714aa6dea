"""A home whose services answer with ads: a bundle, an advertiser with small budgets, one without bounds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid, Pricing
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.campaigns.local_days import local_day
from recsys.ads.campaigns.status import APPROVED
from recsys.ads.selection.levels import budget_levels
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.jobs.promotion.bundle_check import schema_hashes
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.registry.registry import Registry
from tests.applied_features import apply_features
from tests.faults.ads_home import environment, running_home
from tests.faults.kill_report import Caps
from tests.tiny_bundle import SERVICES, tiny_bundle

ROOT = Path(__file__).parents[2]
SMALL = Account("acc_small", "small", "UTC", prepaid=True)  # so that no pace keeps it from its budget
RIVAL = Account("acc_rival", "rival", "UTC", prepaid=True)  # whose bids are what the small one pays
PAID_IN = {SMALL.account_id: 3_000_000, RIVAL.account_id: 10**12}
ITEMS = ("bread", "butter", "wine")
P_CLICK = 0.5
SETTINGS = {
    "RECSYS_ADS__CLICK_RATE": str(P_CLICK),
    "RECSYS_ADS__EXAMINATION_POWER": "0",
    "RECSYS_ADS__PACING_SECONDS": "0.5",
    "RECSYS_ADS__HOLD_SECONDS": "10",
    "RECSYS_ADS__CPM_HOLD_SECONDS": "10",
    "RECSYS_SERVING__CONNECTIONS_PER_ADDRESS": "256",
    "RECSYS_SERVING__TIMEOUT_SECONDS": "20",
}


def campaigns() -> list[Campaign]:
    """Five of the small account: three budgets in total, one of a day, one of a line. And the rival's."""
    return [
        _campaign(SMALL, "total", 20_000, Budget(None, 500_000)),
        _campaign(SMALL, "line", 21_000, Budget(None, 800_000), of_line=400_000),
        _campaign(SMALL, "views", 12_000_000, Budget(None, 600_000), pricing="cpm"),
        _campaign(SMALL, "day", 22_000, Budget(700_000)),
        _campaign(SMALL, "open", 19_000, Budget()),
        _campaign(RIVAL, "rival", 15_000, Budget()),
    ]


def caps() -> dict[str, Caps]:
    """Every budget of today, by account."""
    found: dict[str, dict[str, int]] = {SMALL.account_id: {}, RIVAL.account_id: {}}
    accounts = {each.account_id: each for each in (SMALL, RIVAL)}
    for campaign in campaigns():
        account = accounts[campaign.account_id]
        day = local_day(utc_now(), account.zone)
        levels = budget_levels(account, campaign, campaign.lines[0], day, PAID_IN[account.account_id])
        found[account.account_id].update({level.name: level.cap_micros for level in levels})
    return {**found}


@contextmanager
def http_home(home: Path, database_url: str | None) -> Iterator[tuple[Settings, Mapping[str, str]]]:
    """The settings of the home and the variables of its processes; its Redis runs as long as the block."""
    # A service and a worker do not look for code in the working directory.
    bento = {
        "PYTHONPATH": str(ROOT),
        "BENTOML_HOME": str(home.parent / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    variables = environment(home, database_url, **SETTINGS, **bento)
    with running_home(variables) as settings:
        apply_features(settings)
        bundle = tiny_bundle(services=schema_hashes(settings, list(SERVICES)) or {})
        with Registry.open(settings) as registry:
            registry.register(bundle.manifest, save_bundle(bundle, settings.paths.bundles))
            registry.promote(bundle.manifest.bundle_id)
        with AdsStore.open(settings) as store:
            for account in (SMALL, RIVAL):
                store.add_account(account, Author("kills"))
            for campaign in campaigns():
                store.add_campaign(campaign, Author("kills"))
        with AdsLedger.open(settings) as books:
            for account in (SMALL, RIVAL):
                books.top_up(account, PAID_IN[account.account_id], "bank 1")
        yield settings, variables


def _campaign(
    account: Account,
    name: str,
    bid: int,
    budget: Budget,
    of_line: int | None = None,
    pricing: Pricing = "cpc",
) -> Campaign:
    return Campaign(
        campaign_id=f"cmp_{name}",
        account_id=account.account_id,
        name=name,
        pricing=pricing,
        bidding=FixedBid(bid),
        budget=budget,
        review=APPROVED,
        lines=(Line(f"lin_{name}", "main", ITEMS, budget=Budget(None, of_line)),),
    )
