"""Events of items that the catalog does not know: counted with examples, or put aside as an import does."""

import json

import pyarrow as pa
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import Settings
from recsys.jobs.stream.run import drain_stream
from recsys.jobs.stream.status import stream_report
from recsys.stores.lake.dataset_files import MAPPING_FILE, load_imported_items, save_items, save_text
from tests.streaming.online_side import online_rows
from tests.streaming.real_home import MAPPING, USERS, event, send


def learn(settings: Settings, item: str) -> pa.Table:
    """Adds an item to the catalog; returns the catalog of before."""
    before = load_imported_items(settings.paths)
    row = {**before.slice(0, 1).to_pylist()[0], "item_id": item}
    save_items(settings.paths, pa.concat_tables([before, pa.Table.from_pylist([row], schema=before.schema)]))
    return before


def test_events_of_unknown_items_are_counted_with_the_latest_ids(working: Settings) -> None:
    send(
        working,
        event("u1", "ann", "ghost-1"),
        event("u2", "bob", "ghost-2"),
        event("u3", "new", "ghost-2"),
        event("u4", "new", "i3"),
    )
    drain_stream(working)
    report = stream_report(working)
    assert report.events["unknown_items"] == 3
    assert sorted(report.unknown_items) == ["ghost-1", "ghost-2"]
    assert report.events["kept"] == 6  # they count, as an import's do
    shown = CliRunner().invoke(app, ["stream", "status"])
    assert "ghost-1" in shown.output
    before = learn(working, "ghost-1")
    assert stream_report(working).unknown_items == ("ghost-2",)
    save_items(working.paths, before)


def test_the_mapping_may_put_them_aside_until_the_item_is_known(working: Settings) -> None:
    mapping = MAPPING.replace("[items]\n", '[items]\nunknown = "quarantine"\n')
    save_text(working.paths.data / MAPPING_FILE, mapping)
    try:
        send(working, event("u1", "ann", "ghost-1"), event("u2", "ann", "i3"))
        drain_stream(working)
        (letter,) = json.loads(CliRunner().invoke(app, ["stream", "dlq", "list", "--json"]).stdout)
        assert "'ghost-1' is not in the catalog" in letter["reason"]
        assert stream_report(working).events["poison"] == 1
        assert online_rows(working, USERS, [])["user_activity"]["ann"]["view_count_1d"] == 2
        before = learn(working, "ghost-1")
        assert CliRunner().invoke(app, ["stream", "dlq", "retry", "--all"]).exit_code == 0
        drain_stream(working)
        assert online_rows(working, USERS, [])["user_activity"]["ann"]["view_count_1d"] == 3
        save_items(working.paths, before)
    finally:
        save_text(working.paths.data / MAPPING_FILE, MAPPING)
