"""Events as bytes, while they wait in the state for the lake."""

import pyarrow as pa

from recsys.dataset.schemas import EVENT_SCHEMA, conform_table, upgrade_events


def encode_events(events: pa.Table) -> bytes:
    """Canonical events as Arrow's stream format, compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, events.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(events)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def decode_events(events: bytes) -> pa.Table:
    """What `encode_events` made, of an earlier version too: in today's columns."""
    with pa.ipc.open_stream(events) as reader:
        return conform_table(upgrade_events(reader.read_all()), EVENT_SCHEMA, "events")
