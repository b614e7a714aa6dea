"""Settings of what runs on: the service, the stream's workers, their logs and their health."""

from typing import Literal

from pydantic import Field, SecretStr

from recsys.logs import LogFormat
from recsys.settings_section import Section


class ServingSettings(Section):
    """The HTTP service."""

    host: str = "127.0.0.1"
    port: int = Field(3000, ge=1, le=65535)
    candidates: int = Field(500, ge=1)
    max_body_bytes: int = Field(1_000_000, ge=1)
    feature_timeout_seconds: float = Field(0.2, gt=0)
    reload_seconds: float = Field(2.0, gt=0, description="how often to look for a promoted bundle")
    live_seconds: float = Field(1.0, gt=0, description="how often to look for changed items")
    rules_seconds: float = Field(2.0, gt=0, le=5, description="how often to look for changed rules")
    popularity_seconds: float = Field(5.0, gt=0, description="how often to look what is popular now")
    threads: int = Field(1, ge=1, description="of torch and faiss, for each request")
    workers: int = Field(4, ge=1, description="requests computed at a time; waiting for Redis overlaps")
    gpu_wait_seconds: float = Field(
        0.002, ge=0, le=0.1, description="on a GPU, that a request waits for others to be computed with"
    )
    max_concurrency: int = Field(64, ge=1, description="requests accepted at a time; more get 429")
    wait_seconds: float = Field(0.06, gt=0, le=10, description="for a turn to be answered; then 429")
    wait_target_seconds: float = Field(
        0.02, gt=0, le=10, description="wait from which on answers are made with less effort"
    )
    wait_interval_seconds: float = Field(0.1, gt=0, le=10, description="of waits that is judged at a time")
    timeout_seconds: float = Field(2.0, gt=0, description="for a whole request; later ones get 503")
    batch_timeout_seconds: float = Field(
        10.0, gt=0, description="for a whole batch; rows that are not answered by then get an error"
    )
    feature_retry_seconds: float = Field(1.0, gt=0, description="pause after Redis failed to answer")
    diversity: float = Field(0.1, ge=0, le=1, description="0 = by score alone")
    searched_weight: float = Field(
        0.2, ge=0, le=1, description="of what a user searched for within a day; 0 = it moves nothing"
    )
    cors_origins: tuple[str, ...] = Field((), description="origins that browsers may call from")
    allowed_hosts: tuple[str, ...] = Field((), description="names besides this machine's own: of a proxy")
    connections: int = Field(256, ge=1, description="at a time; the idle and half-sent are closed first")
    connections_per_address: int = Field(32, ge=1, description="of one client, or one /64 of IPv6")
    trusted_proxies: tuple[str, ...] = Field((), description="addresses that may have all connections")
    header_seconds: float = Field(10.0, gt=0, description="until a request's headers are there; later: 408")
    header_bytes: int = Field(16_384, ge=1024, description="of a request's line and headers; more get 431")
    header_count: int = Field(100, ge=1, description="headers of a request; more get 431")
    body_seconds: float = Field(30.0, gt=0, description="until a request's body is there; later: 408")
    slate_log_share: float = Field(1.0, ge=0, le=1, description="of answers that are logged")
    slate_log_bytes: int = Field(512_000_000, ge=0, description="of disk for them, oldest go first")
    logged_candidates: int = Field(
        100, ge=0, description="items with their scores that the log has of an answer beyond those shown"
    )
    snapshot_share: float = Field(
        0.01, ge=0, le=1, description="of recommendations whose features are logged"
    )
    snapshot_bytes: int = Field(64_000_000, ge=0, description="of disk for them, oldest go first")


class RedisSettings(Section):
    """The Redis server that this home starts itself, where REDIS_URL names no other."""

    memory_bytes: int | None = Field(
        None,
        ge=16_000_000,
        description="it may hold, from its next start; null = half of the machine's memory",
    )


class SearchSettings(Section):
    """How search matches, orders and pages; see docs/search.md."""

    words_weight: float = Field(0.5, ge=0, le=1, description="of words; the rest is for meaning")
    popularity_weight: float = Field(0.2, ge=0, le=1, description="of how popular an item is")
    named_weight: float = Field(0.1, ge=0, le=1, description="of a brand or category that the query names")
    personalisation: float = Field(0.5, ge=0, le=1, description="0 = by the query alone")
    diversity: float = Field(0.05, ge=0, le=1, description="of first pages; 0 = by score alone")
    meaning_seconds: float = Field(0.15, gt=0, description="for the query's vector; then words alone answer")
    false_match_rate: float = Field(
        0.001, gt=0, lt=0.5, description="share of all items that meaning may match by chance"
    )
    page_seconds: int = Field(600, ge=1, description="how long the order of a first page is kept")
    cursor_key: SecretStr | None = Field(None, description="null = one of the home's own")


class AccessSettings(Section):
    """Access keys: how soon a change of one is known, and how often each may call."""

    poll_seconds: float = Field(1.0, gt=0, le=4, description="how often to look for changed keys")
    default_rate: float | None = Field(
        None, gt=0, description="requests a second of a key without a rate of its own; null = no bound"
    )
    burst_seconds: float = Field(2.0, gt=0, description="of its rate that a key may save up")
    used_minutes: float = Field(10.0, gt=0, description="how coarse the instant of a key's last use is")
    rotation_hours: float = Field(24.0, ge=0, description="that a rotated key stays valid beside the new one")


class AdPricesSettings(Section):
    """Prices of the ads of one surface; what is null is as for all ads."""

    price_rule: Literal["gsp", "vcg", "first"] | None = None
    reserve_cpc_micros: int | None = Field(None, ge=1, le=2**51)
    reserve_cpm_micros: int | None = Field(None, ge=1, le=2**51)
    reserve_cpa_micros: int | None = Field(None, ge=1, le=2**51)


class AdsSettings(Section):
    """Ads: how they are chosen, priced and placed, what budgets hold, and what is invalid traffic."""

    hold_seconds: float = Field(300.0, gt=0, description="for the click or purchase of an ad shown")
    cpm_hold_seconds: float = Field(60.0, gt=0, description="for the viewable impression of an ad shown")
    reload_seconds: float = Field(1.0, gt=0, le=5, description="how often to look for changed campaigns")
    pacing_seconds: float = Field(5.0, gt=0, le=10, description="how often budgets' pace is set anew")
    blind_seconds: float = Field(
        30.0, gt=0, description="that ads go on without the database of campaigns; then they stop"
    )
    page_seconds: float = Field(
        0.03, ge=0, description="that a page waits for its ads when the rest of it is ready"
    )
    visit_seconds: int = Field(3600, ge=1, description="how long a page token remembers what was shown")
    price_rule: Literal["gsp", "vcg", "first"] = Field("gsp", description="what winners pay")
    reserve_cpc_micros: int = Field(10_000, ge=1, le=2**51, description="least price of a click")
    reserve_cpm_micros: int = Field(100_000, ge=1, le=2**51, description="of 1,000 viewable impressions")
    reserve_cpa_micros: int = Field(100_000, ge=1, le=2**51, description="least price of a purchase")
    prices: dict[Literal["home", "search", "category", "product"], AdPricesSettings] = Field(
        {}, description="a surface's own price_rule and reserves: [ads.prices.search]"
    )
    most_per_account: int | None = Field(2, ge=1, description="slots of an answer; null = no bound")
    click_worth_micros: int = Field(
        100_000, ge=0, description="what a click is worth to the shop that nobody pays for"
    )
    click_rate: float = Field(0.02, gt=0, lt=1, description="of viewed items that nothing is known of")
    purchase_rate: float = Field(0.03, ge=0, le=1, description="of clicks, where no model says more")
    examination_power: float = Field(
        0.5, ge=0, le=2, description="position n is viewed with n to the minus this, where no model says more"
    )
    page_percent: int = Field(25, ge=0, le=100, description="of a page's positions sponsored, at most")
    page_slots: int = Field(4, ge=1, le=6, description="sponsored positions of a page, at most")
    first_position: int = Field(2, ge=1, description="of a page that may be sponsored")
    least_between: int = Field(2, ge=1, description="organic items between two sponsored ones")
    least_relevance: float = Field(0.0, ge=0, le=1, description="ads that are less relevant are left out")
    quality_exponent: float = Field(
        0.5, ge=0, le=3, description="score x p_click to this power: prefers what is clicked over what pays"
    )
    exploration: Literal["none", "thompson"] = Field(
        "none", description="how new ads are tried: thompson ranks them by a draw from what is believed"
    )
    exploration_strength: float = Field(
        1.0, gt=0, le=5, description="what the spread of that belief is multiplied by"
    )
    warm_up_impressions: int = Field(
        1000, ge=0, description="an ad that was viewed as often is new no longer; 0 = all ads are explored"
    )
    warm_up_share: float = Field(
        0.05, ge=0, le=1, description="of the slots of a campaign, and of all, that exploration gives at most"
    )
    warm_up_slots: int = Field(
        100, ge=0, description="that it gives beyond that share, of a process and a day, so that it can begin"
    )
    workers: int = Field(4, ge=1, description="requests whose ads are chosen at a time")
    token_secret: SecretStr | None = Field(None, description="null = one of the home's own")
    log_days: int = Field(
        400,
        ge=31,
        description="that the log of served ads and counts for reports are kept; what is removed is said",
    )
    log_file_bytes: int = Field(64_000_000, ge=1_000_000, description="from which on a new file of it begins")

    attribution_days: float = Field(
        7.0,
        gt=0,
        le=90,
        description="a purchase is charged so long after the click, or the ad, that led to it",
    )
    velocity_clicks: int = Field(20, ge=1, le=10_000, description="of one user on ads, billed at most within")
    velocity_seconds: float = Field(60.0, gt=0, le=86_400, description="these; more are invalid traffic")
    velocity_address_clicks: int | None = Field(
        None, ge=1, le=1_000_000, description="of one address, likewise; null = nothing is kept of addresses"
    )
    velocity_agent_clicks: int | None = Field(
        None, ge=1, le=1_000_000, description="of one agent at an address, likewise"
    )
    lease_seconds: float = Field(
        10.0,
        ge=1,
        le=600,
        description="that an account waits for another charge worker when its own was killed",
    )

    def hold_seconds_of(self, pricing: str) -> float:
        """How long a hold of that pricing lasts."""
        return self.cpm_hold_seconds if pricing == "cpm" else self.hold_seconds


class StreamSettings(Section):
    """Events in real time: the transport, the workers and what they promise."""

    transport: Literal["redis", "kafka"] = "redis"
    kafka_servers: str = Field("127.0.0.1:9092", description="host:port[,host:port]")
    partitions: int = Field(8, ge=1, le=1024, description="of users; `recsys stream repartition` changes it")
    batch_events: int = Field(2000, ge=1, description="events that a worker processes at a time, at most")
    wait_seconds: float = Field(0.005, gt=0, description="what a worker waits for company of a first event")
    flush_seconds: float = Field(2.0, gt=0, description="how often the event lake gets a worker's events")
    lateness_days: float = Field(7.0, ge=0, le=90, description="later events reach the lake only")
    max_lag: int = Field(100_000, ge=1, description="events waiting from which the service answers 429")
    keep_seconds: float = Field(86_400, ge=0, description="how long processed events stay in the stream")
    wait_for_token_seconds: float = Field(0.5, ge=0, description="a recommendation waits that long at most")


class LogSettings(Section):
    """What is told on stderr, and how."""

    format: LogFormat = Field("text", description="`json` is one JSON object a line; RECSYS_LOG sets it too")
    access: Literal["auto", "on", "off"] = Field(
        "auto", description="a line a request; `auto` is on with `recsys start`, off with `bentoml serve`"
    )


class HealthSettings(Section):
    """From when on the service and `recsys doctor` call something a problem."""

    check_seconds: float = Field(5.0, gt=0, description="how often a service looks")
    log_seconds: float = Field(600.0, gt=0, description="how often a problem that stays is logged")
    schedule_seconds: float = Field(3600.0, gt=0, description="of materialization; twice it without one")
    data_days: float | None = Field(None, gt=0, description="newest event's age; null = longest window")
    cold_requests: int = Field(1000, ge=1, description="requests with a user id that are looked back at")
    cold_share: float = Field(0.5, gt=0, le=1, description="of them that are cold starts")
    unknown_share: float = Field(0.05, gt=0, le=1, description="of ten minutes' events, about unknown items")
    lag_seconds: float = Field(60.0, gt=0, description="that an accepted event waits to be visible")
    worker_seconds: float = Field(60.0, gt=0, description="without a sign of life of a stream worker")
    store_memory_share: float = Field(0.8, gt=0, le=1, description="of the online store's memory bound")
    click_drift: float = Field(0.1, gt=0, le=1, description="expected clicks on ads over clicks, beside 1")
    click_drift_clicks: int = Field(200, ge=1, description="clicks at a place below which it is not judged")
    click_drift_days: float = Field(7.0, gt=0, description="of the ad log that are looked back at")
