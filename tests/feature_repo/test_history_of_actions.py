"""user_history stored by action: Feast sees the plain view, and training reads what Feast would give."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from feast import FeatureStore

from recsys import columns
from recsys.catalog import stable_key
from recsys.config import Settings
from recsys.errors import DataError
from recsys.features.event_log import EventLog, read_log
from recsys.features.history_windows import windows_of_lists
from recsys.features.user_actions import changed_actions, user_actions
from recsys.features.user_history import user_history
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.instants import NEVER, to_micros
from recsys.stores.features.action_files import add_actions
from recsys.stores.features.build import write_rows
from recsys.stores.features.history_rows import HISTORY_FEATURES, write_user_actions
from recsys.stores.features.offline import OfflineFeatures, open_feast
from tests.feature_repo.worlds import ENTITIES, HOURS, START, hours, write_world
from tests.features.worlds import event, numbered, table

pytestmark = [
    pytest.mark.filterwarnings("ignore:On demand feature view is an experimental feature:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ibis"),
    pytest.mark.filterwarnings("ignore:.*fetch_arrow.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),
]

REFS = [f"{columns.USER_HISTORY}:{name}" for name in HISTORY_FEATURES]
NAMES = VIEW_SCHEMAS[columns.USER_HISTORY].names
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module", autouse=True)
def ibis_closed() -> Iterator[None]:
    """Feast's own store leaves a connection open, of which DuckDB complains when the interpreter ends."""
    yield
    ibis.get_backend().disconnect()
    ibis.options.default_backend = None


@pytest.fixture(scope="module")
def events() -> pa.Table:
    """Events of six users at whole hours: ties, purchases that are undone, more than a history holds."""
    rng = np.random.default_rng(11)
    kinds = [*columns.ACTION_KINDS, columns.PURCHASE, columns.CANCEL]
    rows = [
        event(str(kind), at, user=str(user), item=f"i{item}")
        for kind, at, user, item in zip(
            rng.choice(kinds, 600),
            hours(rng.integers(0, HOURS, 600)),
            rng.choice(ENTITIES[columns.USER_ID][:-1], 600, p=[0.8, 0.05, 0.05, 0.05, 0.05]),
            rng.integers(0, 5, 600),
            strict=True,
        )
    ]
    return table(numbered(rows))


@pytest.fixture(scope="module")
def log(events: pa.Table) -> EventLog:
    return read_log(events)


@pytest.fixture(params=["at once", "in two builds"])
def by_action(shop: Settings, events: pa.Table, log: EventLog, request: pytest.FixtureRequest) -> Settings:
    """A shop whose stored actions are those of `log`; the later half of them by a second build."""
    write_world(shop.paths, seed=12)
    shop.paths.feature_rows(columns.USER_HISTORY).unlink()  # else its rows would be withdrawn
    half = HOURS // 2 if request.param == "in two builds" else HOURS
    before = events.filter(pc.less(events[columns.AT], START + timedelta(hours=half)))
    write_user_actions(shop.paths, user_actions(read_log(before), 5), (to_micros(START), 5))
    if half < HOURS:
        since = np.full(len(log.users), NEVER)
        new = log.at >= to_micros(START + timedelta(hours=half))
        np.minimum.at(since, log.user[new], log.at[new])
        add_actions(shop.paths, changed_actions(log, 5, since, stable_key))
    return shop


def asked(count: int = 400) -> pd.DataFrame:
    """Instants on, beside, before and after those of rows; a stranger, and a user who did nothing."""
    rng = np.random.default_rng(13)
    frame = pd.DataFrame(
        {
            columns.USER_ID: rng.choice([*ENTITIES[columns.USER_ID], "a stranger"], count),
            columns.AT: pd.DatetimeIndex(hours(rng.integers(-5, HOURS + 60, count))).as_unit("us"),
        }
    )
    frame[columns.AT] += pd.to_timedelta(rng.choice([-1, 0, 0, 1], count), unit="us")
    return frame


def rows_of(table: Any) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: [str(row[name]) for name in sorted(row)])


def own_duckdb(settings: Settings) -> FeatureStore:
    store = open_feast(settings)
    store.config.offline_config = {"type": "duckdb"}
    store.config._offline_store = None
    return FeatureStore(config=store.config)


def test_training_sets_equal_an_independent_join_with_the_rows(by_action: Settings, log: EventLog) -> None:
    rows = asked()
    got = OfflineFeatures(by_action).training_set(rows, columns.RETRIEVAL_SERVICE)
    wide = pl.DataFrame(user_history(log, 5)).sort(columns.EVENT_TIMESTAMP)
    wanted = pl.DataFrame(
        {
            columns.USER_ID: rows[columns.USER_ID].to_numpy().astype(str),
            "asked": pl.Series(rows[columns.AT].dt.tz_localize(None).to_numpy())
            .cast(pl.Datetime("us"))
            .dt.replace_time_zone("UTC"),
            "number": np.arange(len(rows)),
        }
    )
    expected = (
        wanted.sort("asked")
        .join_asof(
            wide,
            left_on="asked",
            right_on=columns.EVENT_TIMESTAMP,
            by=columns.USER_ID,
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .sort("number")
    )
    for name in HISTORY_FEATURES:
        assert [values.tolist() for values in got[name]] == [each or [] for each in expected[name].to_list()]
    assert max(len(values) for values in got[columns.HISTORY_ITEMS]) > columns.HISTORY_LENGTH - 100


@pytest.mark.parametrize("options", [{}, {"filter_by_created_timestamp": True}])
def test_feast_gives_what_its_own_store_gives_of_the_rows(
    by_action: Settings, log: EventLog, options: dict[str, Any]
) -> None:
    rows = asked().rename(columns={columns.AT: columns.EVENT_TIMESTAMP}).drop_duplicates()
    ask = {"entity_df": rows, "features": REFS, "full_feature_names": True, **options}
    ours = open_feast(by_action).get_historical_features(**ask).to_arrow()
    write_rows(by_action.paths, columns.USER_HISTORY, user_history(log, 5))
    theirs = own_duckdb(by_action).get_historical_features(**ask).to_arrow()
    assert rows_of(ours) == rows_of(theirs.select(ours.column_names))


def pulled(store: FeatureStore, method: str, start: Any, end: Any) -> list[dict[str, Any]]:
    pull = getattr(store._get_provider().offline_store, method)
    job = pull(
        config=store.config,
        data_source=store.get_feature_view(columns.USER_HISTORY).batch_source,
        join_key_columns=NAMES[:1],
        feature_name_columns=NAMES[1:-2],
        timestamp_field=columns.EVENT_TIMESTAMP,
        created_timestamp_column=columns.CREATED_TIMESTAMP,
        start_date=start,
        end_date=end,
    )
    return rows_of(job.to_arrow().select(NAMES))


@pytest.mark.parametrize("method", ["pull_latest_from_table_or_query", "pull_all_from_table_or_query"])
def test_what_is_materialized_is_what_feasts_own_store_would_take_of_the_rows(
    by_action: Settings, log: EventLog, method: str
) -> None:
    bounds = START + timedelta(hours=20), START + timedelta(hours=90)
    ours = pulled(open_feast(by_action), method, *bounds)
    write_rows(by_action.paths, columns.USER_HISTORY, user_history(log, 5))
    assert ours == pulled(own_duckdb(by_action), method, *bounds)


def test_all_rows_are_pulled_without_bounds(by_action: Settings, log: EventLog) -> None:
    ours = pulled(open_feast(by_action), "pull_all_from_table_or_query", None, None)
    assert ours == rows_of(user_history(log, 5).select(NAMES))


def test_windows_equal_a_training_set_from_actions_and_from_rows(by_action: Settings, log: EventLog) -> None:
    rows = asked()
    users = rows[columns.USER_ID].to_numpy(object)
    at = rows[columns.AT].astype("datetime64[us, UTC]").astype("int64").to_numpy()
    features = OfflineFeatures(by_action)
    found = features.training_set(rows, columns.RETRIEVAL_SERVICE)
    expected = windows_of_lists(*(found[name].tolist() for name in HISTORY_FEATURES))
    assert windows_by_row(features, users, at) == windows_by_row_of(expected)
    write_rows(by_action.paths, columns.USER_HISTORY, user_history(log, 5))  # as an earlier version did
    assert windows_by_row(features, users, at) == windows_by_row_of(expected)


def windows_by_row_of(windows: Any) -> dict[int, list[tuple[int, int, int]]]:
    """Row -> item key, kind and second of each action; rows without any are left out."""
    values = np.stack([windows.item_keys, windows.kinds, windows.at_seconds], axis=1)
    parts = np.split(values[windows.place], windows.offsets[1:-1])
    return {row: [tuple(each) for each in part.tolist()] for row, part in enumerate(parts) if len(part)}


def windows_by_row(
    features: OfflineFeatures, users: np.ndarray, at: np.ndarray
) -> dict[int, list[tuple[int, int, int]]]:
    found = {}
    for part in features.history_windows(users, at, columns.RETRIEVAL_SERVICE):
        found |= {int(part.rows[row]): each for row, each in windows_by_row_of(part.windows).items()}
    return found


def test_no_windows_are_no_question(by_action: Settings) -> None:
    nobody = np.zeros(0, object), np.zeros(0, np.int64)
    with pytest.raises(DataError, match="no rows"):
        list(OfflineFeatures(by_action).history_windows(*nobody, columns.RETRIEVAL_SERVICE))
