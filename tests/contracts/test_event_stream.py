"""What every event stream promises, asked of the one in memory and of the real ones."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from recsys.streaming.dead_letters import retry_dead_letters
from recsys.streaming.stream import Entry, EventStream, StreamReader

NOW = 1_790_000_000_000_000
CATALOG = 2
EVERYTHING = {0: 0, 1: 0, CATALOG: 0}


def drained(reader: StreamReader, expected: int, count: int = 1000) -> list[Entry]:
    """All entries up to the expected number; a reader may give them in portions."""
    entries: list[Entry] = []
    while len(entries) < expected and (found := reader.read(count, 5.0)):
        entries += found
    return entries


def bodies(entries: Iterable[Entry]) -> list[bytes]:
    return [entry.body for entry in entries]


def append_each(stream: EventStream, partition: int, texts: Iterable[bytes]) -> list[int]:
    """One call an event: the Kafka broker of the tests counts the last batch as one entry."""
    return [offset for text in texts for offset in stream.append([(partition, text)], NOW)]


def test_entries_of_a_partition_come_in_order_with_growing_offsets(stream: EventStream) -> None:
    rows = [(number % 3, b"%d" % number) for number in range(30)]
    offsets = stream.append(rows, NOW)
    entries = drained(stream.reader(EVERYTHING), 30)
    for partition in range(3):
        mine = [entry for entry in entries if entry.partition == partition]
        assert bodies(mine) == [body for each, body in rows if each == partition]
        assert [entry.offset for entry in mine] == offsets[partition::3]
        assert all(earlier.offset < later.offset for earlier, later in pairwise(mine))
    assert min(offsets) > 0
    assert {entry.accepted_at for entry in entries} == {NOW}


def test_partitions_are_those_of_users(stream: EventStream) -> None:
    assert stream.partitions == 2
    assert [status.partition for status in stream.status()] == [0, 1, CATALOG]


def test_an_empty_stream_has_no_lag_and_gives_nothing(stream: EventStream) -> None:
    assert stream.append([], NOW) == []
    assert [(s.last_offset, s.committed_offset, s.lag) for s in stream.status()] == [(0, 0, 0)] * 3
    assert stream.reader(EVERYTHING).read(10, 0.01) == []


def test_a_thousand_rows_of_one_call_arrive_in_order(stream: EventStream) -> None:
    texts = [b"%d" % number for number in range(1000)]
    offsets = stream.append([(1, text) for text in texts], NOW)
    entries = drained(stream.reader({1: 0}), 1000, count=300)
    assert bodies(entries) == texts
    assert [entry.offset for entry in entries] == offsets


def test_the_request_that_brought_entries_goes_along_into_dead_letters_and_back(stream: EventStream) -> None:
    stream.append([(0, b"a"), (1, b"b")], NOW, "request-1")
    stream.append([(0, b"c")], NOW)
    entries = drained(stream.reader(EVERYTHING), 3)
    assert {entry.body: entry.request_id for entry in entries} == {
        b"a": "request-1",
        b"b": "request-1",
        b"c": "",
    }
    stream.put_aside([(entry, "bad") for entry in entries], NOW)
    letters = {letter.entry.body: letter.entry for letter in stream.dead_letters()}
    assert letters[b"a"] == next(entry for entry in entries if entry.body == b"a")
    assert retry_dead_letters(stream, [], NOW) == 3
    again = drained(stream.reader(EVERYTHING), 6)[3:]
    assert {(entry.body, entry.request_id) for entry in again} <= {
        (b"a", "request-1"),
        (b"b", "request-1"),
        (b"c", ""),
    }


def test_empty_odd_and_big_bodies_come_back_unchanged(stream: EventStream) -> None:
    texts = [b"", b"\x00\xff\r\n\n", bytes(range(256)) * 3600]  # the last has 921,600 bytes
    stream.append([(0, text) for text in texts], NOW)
    assert bodies(drained(stream.reader({0: 0}), 3)) == texts


def test_the_origin_of_entries_goes_along_with_or_without_a_request(stream: EventStream) -> None:
    stream.append([(0, b"a")], NOW, "request-1", "aa.bb")
    stream.append([(0, b"b")], NOW, origin="cc.dd")
    stream.append([(0, b"c")], NOW)
    entries = drained(stream.reader(EVERYTHING), 3)
    assert [(each.body, each.request_id, each.origin) for each in entries] == [
        (b"a", "request-1", "aa.bb"),
        (b"b", "", "cc.dd"),
        (b"c", "", ""),
    ]


def test_recent_entries_are_the_last_ones_up_to_an_offset_and_move_no_group(stream: EventStream) -> None:
    offsets = append_each(stream, 0, [b"a", b"b", b"c", b"d"])
    append_each(stream, 1, [b"x"])
    reader = stream.reader(EVERYTHING)
    drained(reader, 5)
    reader.commit({0: offsets[1]})
    before = stream.status()
    assert bodies(stream.recent({0: offsets[2]}, 2)) == [b"b", b"c"]
    found = stream.recent({0: offsets[3], 1: 0}, 10)
    assert [(each.partition, each.offset, each.accepted_at) for each in found] == [
        (0, offset, NOW) for offset in offsets
    ]
    assert stream.recent({0: 0, 1: 0}, 10) == []
    assert stream.status() == before
    assert bodies(drained(reader, 0)) == []


def test_a_read_gives_at_most_what_was_asked(stream: EventStream) -> None:
    stream.append([(number % 3, b"x") for number in range(30)], NOW)
    reader = stream.reader(EVERYTHING)
    sizes = [len(reader.read(4, 5.0)) for _ in range(3)]
    assert max(sizes) <= 4
    assert len(drained(reader, 30 - sum(sizes))) == 30 - sum(sizes)


def test_a_busy_partition_leaves_room_for_a_quiet_one(stream: EventStream) -> None:
    stream.append([(0, b"busy")] * 500 + [(1, b"quiet")], NOW)
    reader = stream.reader({0: 0, 1: 0})
    first = drained(reader, 501, count=501)
    assert bodies(first).count(b"quiet") == 1
    assert bodies(first).count(b"busy") == 500


def test_a_reader_waits_for_the_first_entry(stream: EventStream) -> None:
    reader = stream.reader(EVERYTHING)
    assert reader.read(10, 0.0) == []
    stream.append([(1, b"late")], NOW)
    assert bodies(reader.read(10, 5.0)) == [b"late"]


def test_a_reader_begins_behind_its_offsets_whatever_was_committed(stream: EventStream) -> None:
    offsets = append_each(stream, 0, [b"a", b"b", b"c"])
    ahead = stream.reader({0: 0})
    drained(ahead, 3)
    ahead.commit({0: offsets[2]})
    again = stream.reader({0: offsets[0]})
    assert bodies(drained(again, 2)) == [b"b", b"c"]
    assert stream.status()[0].lag == 2
    again.commit({0: offsets[2]})
    assert stream.status()[0].lag == 0


def test_what_a_lost_reader_did_not_commit_comes_again(stream: EventStream) -> None:
    offsets = append_each(stream, 0, [b"a", b"b", b"c"])
    lost = stream.reader({0: 0})
    assert len(drained(lost, 3)) == 3
    lost.commit({0: offsets[0]})
    found = drained(stream.reader({0: stream.status()[0].committed_offset}), 2)
    assert bodies(found) == [b"b", b"c"]


def test_lag_is_what_is_not_committed(stream: EventStream) -> None:
    offsets = append_each(stream, 0, [b"a", b"b", b"c"])
    assert (stream.status()[0].last_offset, stream.status()[0].lag) == (offsets[2], 3)
    reader = stream.reader({0: 0, 1: 0})
    drained(reader, 3)
    assert stream.status()[0].lag == 3
    reader.commit({0: offsets[1]})
    status = stream.status()[0]
    assert (status.committed_offset, status.lag) == (offsets[1], 1)
    assert stream.status()[1].lag == 0


def test_commits_never_go_back(stream: EventStream) -> None:
    offsets = append_each(stream, 0, [b"a", b"b", b"c"])
    reader = stream.reader({0: 0})
    drained(reader, 3)
    reader.commit({0: offsets[2]})
    reader.commit({0: offsets[0]})
    reader.commit({})
    assert stream.status()[0].committed_offset == offsets[2]


def test_readers_of_other_partitions_do_not_meet(stream: EventStream) -> None:
    one, other = stream.reader({0: 0}), stream.reader({1: 0, CATALOG: 0})
    offsets = stream.append([(0, b"mine"), (1, b"yours"), (CATALOG, b"yours too")], NOW)
    assert bodies(drained(one, 1)) == [b"mine"]
    assert set(bodies(drained(other, 2))) == {b"yours", b"yours too"}
    one.commit({0: offsets[0]})
    assert [status.lag for status in stream.status()] == [0, 1, 1]


def test_threads_append_side_by_side(stream: EventStream) -> None:
    def append(thread: int) -> list[int]:
        return [stream.append([(0, b"%d" % thread)] * 20, NOW)[-1] for _ in range(10)]

    with ThreadPoolExecutor(4) as pool:
        last = list(pool.map(append, range(4)))
    entries = drained(stream.reader({0: 0}), 800)
    assert Counter(bodies(entries)) == {b"%d" % thread: 200 for thread in range(4)}
    assert len({entry.offset for entry in entries}) == 800
    assert all(offsets == sorted(offsets) for offsets in last)


def test_entries_that_nobody_committed_stay(stream: EventStream) -> None:
    texts = [b"%d" % number for number in range(3000)]
    offsets = [
        offset
        for start in range(0, 3000, 500)
        for offset in stream.append([(0, text) for text in texts[start : start + 500]], NOW)
    ]
    reader = stream.reader({0: 0})
    drained(reader, 3000)
    reader.commit({0: offsets[1499]})
    assert bodies(drained(stream.reader({0: offsets[1499]}), 1500)) == texts[1500:]


def test_an_entry_put_aside_twice_is_one_letter(stream: EventStream) -> None:
    entry = Entry(0, 7, b'{"kind": "\xff"}\nx', NOW)
    stream.put_aside([(entry, "not UTF-8")], NOW + 1)
    stream.put_aside([(entry, "not UTF-8")], NOW + 1)
    (letter,) = stream.dead_letters()
    assert letter.entry == entry
    assert (letter.reason, letter.at) == ("not UTF-8", NOW + 1)


def test_letters_come_oldest_first_and_not_more_than_asked(stream: EventStream) -> None:
    for age, offset in enumerate([30, 10, 20]):
        stream.put_aside([(Entry(0, offset, b"x", NOW), "bad")], NOW + age)
    assert [letter.entry.offset for letter in stream.dead_letters()] == [30, 10, 20]
    assert [letter.entry.offset for letter in stream.dead_letters(2)] == [30, 10]


def test_dropped_letters_are_forgotten(stream: EventStream) -> None:
    stream.put_aside([(Entry(0, 1, b"x", NOW), "bad"), (Entry(1, 1, b"y", NOW), "bad")], NOW)
    first, second = stream.dead_letters()
    assert stream.drop([first.letter_id, "9-9"]) == 1
    assert stream.drop([]) == 0
    assert stream.dead_letters() == [second]
    assert stream.drop([second.letter_id]) == 1
    assert stream.dead_letters() == []


def test_retried_letters_are_appended_again(stream: EventStream) -> None:
    letters = [(Entry(0, 1, b"x", NOW), "bad"), (Entry(1, 1, b"y", NOW), "bad")]
    stream.put_aside(letters, NOW)
    assert retry_dead_letters(stream, ["1-1"], NOW + 5) == 1
    assert [letter.letter_id for letter in stream.dead_letters()] == ["0-1"]
    assert retry_dead_letters(stream, [], NOW + 6) == 1
    assert stream.dead_letters() == []
    entries = drained(stream.reader(EVERYTHING), 2)
    assert sorted((e.partition, e.body, e.accepted_at) for e in entries) == [
        (0, b"x", NOW + 6),
        (1, b"y", NOW + 5),
    ]


@pytest.mark.parametrize("gone", ["9-9", "nonsense"])
def test_retrying_an_unknown_letter_does_nothing(stream: EventStream, gone: str) -> None:
    stream.put_aside([(Entry(0, 1, b"x", NOW), "bad")], NOW)
    assert retry_dead_letters(stream, [gone], NOW) == 0
    assert len(stream.dead_letters()) == 1
