"""Changes are seen by the next view, exactly and at once; views that were given out stay as they are."""

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.errors import ArtifactError
from recsys.retrieval.lexical import writer as writer_module
from recsys.retrieval.lexical.build import build_index, copy_index
from recsys.retrieval.lexical.index import LexicalIndex, open_index
from recsys.retrieval.lexical.item_text import ItemText
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.retrieval.lexical.writer import LexicalWriter

ITEMS = [ItemText(1, "red lamp"), ItemText(2, "blue lamp"), ItemText(3, "solid table")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_index(ITEMS, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def writer(folder: Path) -> Iterator[LexicalWriter]:
    with LexicalWriter(folder) as opened:
        yield opened


def found(index: LexicalIndex, text: str) -> list[int]:
    query = lexical_query(text)
    return index.matching(query, query.least).tolist()


def test_an_item_is_changed_added_and_removed_without_a_double(writer: LexicalWriter) -> None:
    assert found(writer.view, "lamp") == [1, 2]
    view = writer.apply([ItemText(2, "green lamp"), ItemText(4, "lamp shade")], [1])
    assert found(view, "lamp") == [2, 4]
    assert found(view, "blue") == []
    assert len(view) == 3
    assert view.items.tolist() == [2, 3, 4]
    again = writer.apply([ItemText(2, "green lamp")])
    assert found(again, "green") == [2]
    assert again.document_frequency("green") == 1


def test_a_view_stays_as_it_was_while_later_ones_change(writer: LexicalWriter) -> None:
    before = writer.view
    found(before, "lamp")
    for round_number in range(5):
        writer.apply([ItemText(10 + round_number, "lamp")], [1])
    assert found(before, "lamp") == [1, 2]
    assert found(before, "red") == [1]
    assert found(before, "table") == [3]  # not asked before the change
    assert found(writer.view, "lamp") == [2, 10, 11, 12, 13, 14]
    assert found(before, "lamp") == [1, 2]


def test_the_last_of_two_versions_of_an_item_holds_and_deleting_wins_nothing_over_it(
    writer: LexicalWriter,
) -> None:
    view = writer.apply([ItemText(1, "first"), ItemText(1, "second")], [1, 99])
    assert found(view, "first") == []
    assert found(view, "second") == [1]


def test_changes_survive_reopening_of_the_folder(folder: Path) -> None:
    with LexicalWriter(folder) as writer:
        writer.apply([ItemText(9, "green chair")])
    assert found(open_index(folder), "chair") == [9]
    with LexicalWriter(folder) as writer:
        assert found(writer.apply([], [9]), "chair") == []


def test_a_second_writer_of_a_folder_is_refused(folder: Path, writer: LexicalWriter) -> None:
    with pytest.raises(ArtifactError, match="has a writer already"):
        LexicalWriter(folder)


def test_of_changes_that_fail_none_is_seen(writer: LexicalWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    real = writer_module.document

    def failing(index: int, fields: Any) -> Any:
        if index == 6:
            raise OSError("no space left")
        return real(index, fields)

    monkeypatch.setattr(writer_module, "document", failing)
    with pytest.raises(ArtifactError, match="no space left"):
        writer.apply([ItemText(5, "good"), ItemText(6, "bad")], [1])
    assert found(writer.view, "lamp") == [1, 2]
    view = writer.apply([ItemText(7, "good")])
    assert found(view, "good") == [7]
    assert found(view, "lamp") == [1, 2]


def test_a_copy_of_the_folder_changes_and_the_folder_does_not(folder: Path, tmp_path: Path) -> None:
    before = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    copy_index(folder, tmp_path / "copy")
    with LexicalWriter(tmp_path / "copy") as writer:
        writer.apply([ItemText(1, "changed")], [2])
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()} == before


CHANGES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.integers(1, 6), st.sampled_from(["red lamp", "红色手机壳", "3 m cable", "", "lamp"])
            ),
            max_size=3,
        ),
        st.lists(st.integers(1, 7), max_size=2),
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
def test_any_history_of_changes_is_found_as_if_built_from_its_end(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[list[tuple[int, str]], list[int]]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    build_index(ITEMS, root / "index")
    held = {item.index: item for item in ITEMS}
    texts = ["lamp", "red", "table", "手机", "3m", "-lamp", '"red lamp"', ""]
    with LexicalWriter(root / "index") as writer:
        for upserts, deletes in history:
            items = {index: ItemText(index, title) for index, title in upserts}
            for index in deletes:
                held.pop(index, None)
            held.update(items)
            view = writer.apply(items.values(), deletes)
            for text in texts[:3]:  # so that postings are remembered between changes
                found(view, text)
        view = writer.view
        build_index(held.values(), root / "fresh")
        expected = open_index(root / "fresh")
        for text in texts:
            assert found(view, text) == found(expected, text)
            query = lexical_query(text)
            assert view.top(query, 0, 9)[1].tolist() == expected.top(query, 0, 9)[1].tolist()


def test_a_thousand_changes_are_searchable_within_a_second_with_readers(folder: Path) -> None:
    with LexicalWriter(folder) as writer:
        stop = threading.Event()
        errors: list[BaseException] = []

        def read() -> None:
            try:
                while not stop.is_set():
                    found(writer.view, "lamp table item")
                    time.sleep(0.001)
            except BaseException as error:
                errors.append(error)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        before = time.perf_counter()
        view = writer.apply([ItemText(index, f"item {index} lamp") for index in range(100, 1100)])
        seconds = time.perf_counter() - before
        stop.set()
        for reader in readers:
            reader.join()
        assert errors == []
        assert len(found(view, "item lamp")) == 1000
        assert seconds < 5  # .1 s on an idle machine
