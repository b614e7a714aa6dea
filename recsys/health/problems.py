"""Every problem that the service and `recsys doctor` can name: a closed set of codes with remedies."""

from dataclasses import dataclass

from recsys.documents import JsonObject

MATERIALIZE = "recsys features build && feast -c feature_repo materialize-incremental $(date -u +%FT%TZ)"


@dataclass(frozen=True)
class ProblemKind:
    """One thing that may be wrong.

    Attributes:
        code: stable; in answers, metrics and logs.
        meaning: one sentence, the same wherever the problem is shown.
        remedy: what to do.
        degrades: whether slates are worse for it, and say so in `degraded`.
        stops: whether no useful answer can be given.
    """

    code: str
    meaning: str
    remedy: str
    degrades: bool = False
    stops: bool = False


@dataclass(frozen=True)
class Problem:
    """A problem that is there now.

    Attributes:
        detail: the values that tell it: may name paths, addresses and ids.
    """

    kind: ProblemKind
    detail: str

    @property
    def code(self) -> str:
        """The code of its kind."""
        return self.kind.code

    def to_json(self) -> JsonObject:
        """What those who may see values are shown."""
        return {
            "code": self.code,
            "message": self.kind.meaning,
            "detail": self.detail,
            "remedy": self.kind.remedy,
        }


NO_BUNDLE = ProblemKind(
    "no_bundle",
    "No bundle is in service, so that nothing can be answered.",
    "Run `recsys train`, then `recsys models promote ID`.",
    stops=True,
)
BUNDLE_REFUSED = ProblemKind(
    "bundle_refused",
    "The bundle in production cannot be taken into service; an earlier one serves on.",
    "Mend what the detail says, or run `recsys models rollback`.",
)
KEYS_UNAVAILABLE = ProblemKind(
    "keys_unavailable",
    "The access keys cannot be read; those that are known go on, new ones and revocations are not seen.",
    "Start the database that DATABASE_URL names; `recsys doctor` checks it.",
)
STORE_UNAVAILABLE = ProblemKind(
    "store_unavailable",
    "The online store does not answer; slates are of context and popularity.",
    "Run `recsys up`, or start the server that REDIS_URL names.",
)
OTHER_SHOP = ProblemKind(
    "other_shop",
    "The online store holds another shop; slates are of context and popularity.",
    "Point REDIS_URL to another database or server, or run `recsys up --take-over`.",
    degrades=True,
)
STORE_EMPTY = ProblemKind(
    "store_empty",
    "The online store has no feature rows.",
    f"Run `{MATERIALIZE}`.",
    degrades=True,
)
NOTHING_MATERIALISED = ProblemKind(
    "nothing_materialised",
    "No features were materialized for twice the time of the schedule.",
    f"Run `{MATERIALIZE}`, and keep it running with `recsys schedule`.",
    degrades=True,
)
STORE_MEMORY_HIGH = ProblemKind(
    "store_memory_high",
    "The online store is nearly at its memory bound, from which on it takes no events and no features.",
    "Raise redis.memory_bytes (or the `maxmemory` of your server), or move it to a larger machine.",
)
DATA_OLDER_THAN_WINDOWS = ProblemKind(
    "data_older_than_windows",
    "The newest event is older than the longest window of the features, so that all counts are zero.",
    "Import newer files with `recsys refresh`, or send events to POST /v1/events.",
    degrades=True,
)
MOSTLY_COLD = ProblemKind(
    "mostly_cold",
    "Most requests that name a user are cold starts: the store knows nothing of these users.",
    "Compare the user ids that the shop sends with those of its files, then look at the other problems.",
    degrades=True,
)
UNKNOWN_ITEMS = ProblemKind(
    "unknown_items",
    "Many events are about items that the catalog does not have.",
    "Look at `recsys stream status`; import the catalog again, or send these items as `item_upsert`.",
    degrades=True,
)
STREAM_UNAVAILABLE = ProblemKind(
    "stream_unavailable",
    "The event stream cannot be asked; events are not accepted.",
    "Start its server, and look whether the settings of [stream] fit it.",
)
STREAM_WORKER_AWAY = ProblemKind(
    "stream_worker_away",
    "No worker of the stream is alive; accepted events do not become visible.",
    "Run `recsys stream run`.",
    degrades=True,
)
STREAM_BEHIND = ProblemKind(
    "stream_behind",
    "Accepted events wait too long until they are visible.",
    "Run one more `recsys stream run`, and look at the worker's log.",
    degrades=True,
)
DEAD_LETTERS = ProblemKind(
    "dead_letters",
    "Events were accepted and could not be processed.",
    "Run `recsys stream dlq list`, mend the cause, then `recsys stream dlq retry --all`.",
)
BACKGROUND_TASK_FAILING = ProblemKind(
    "background_task_failing",
    "Work in the background fails; it is tried again.",
    "Mend what the detail says; the log has the traceback.",
)
RECORDS_DROPPED = ProblemKind(
    "records_dropped",
    "Records of what was served were not written; labels and the skew audit lack them.",
    "Make room, and look at the rights of the folder `served` in the home.",
)

RULES_STALE = ProblemKind(
    "rules_stale",
    "The shop's rules cannot be read anew; the last known ones go on.",
    "Mend what the detail says; changes of the rules are then taken up within seconds.",
    degrades=True,
)

CLICK_DRIFT = ProblemKind(
    "click_drift",
    "Clicks on ads do not come as often as the probabilities say that ads are priced by.",
    "Look at `recsys ads drift`, run `recsys train` and promote the bundle.",
)

ADS_STALE = ProblemKind(
    "ads_stale",
    "Campaigns and what they have spent cannot be read anew; ads go on for a while and then stop.",
    "Mend what the detail says; ads are then back within seconds.",
)

PROBLEM_KINDS = (
    NO_BUNDLE,
    BUNDLE_REFUSED,
    KEYS_UNAVAILABLE,
    STORE_UNAVAILABLE,
    OTHER_SHOP,
    STORE_EMPTY,
    NOTHING_MATERIALISED,
    STORE_MEMORY_HIGH,
    DATA_OLDER_THAN_WINDOWS,
    MOSTLY_COLD,
    UNKNOWN_ITEMS,
    STREAM_UNAVAILABLE,
    STREAM_WORKER_AWAY,
    STREAM_BEHIND,
    DEAD_LETTERS,
    BACKGROUND_TASK_FAILING,
    RECORDS_DROPPED,
    RULES_STALE,
    CLICK_DRIFT,
    ADS_STALE,
)
KINDS_BY_CODE = {kind.code: kind for kind in PROBLEM_KINDS}
