"""lexical: the best 100 of 500,000 titles for words of a query, CPU; the peer is SQLite's FTS5.

index-lexical: building that index. index-update: 1,000 items added or changed until searchable, while two
threads search.
"""

import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from online.bounded_row import bounded_row

from recsys.cli.output import note
from recsys.retrieval.lexical.build import build_index, copy_index
from recsys.retrieval.lexical.index import LexicalIndex
from recsys.retrieval.lexical.item_text import ItemText
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.retrieval.lexical.writer import LexicalWriter
from search.titles import made_queries, made_titles

TITLES, QUERIES, WARMING, COUNT, UPDATES = 500_000, 500, 1_500, 100, 1_000


def rows() -> list[dict[str, Any]]:
    """A row of each of the three."""
    titles = list(made_titles(TITLES))
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "lexical")
        built = _seconds(lambda: build_index(map(_item, range(1, TITLES + 1), titles), folder))
        size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        note(f"index of {TITLES} titles: {built:.1f} s CPU, {size:.0f} MB")
        copy_index(folder, Path(root, "copy"))
        with LexicalWriter(Path(root, "copy")) as writer:
            queries = made_queries(titles, QUERIES)
            found = [_lexical_row(writer.view, titles, queries, Path(root))]
            found.append(bounded_row("index-lexical", "s CPU", built, 60, 10))
            found.append(bounded_row("index-update", "s", _update_seconds(writer, titles, queries), 2, 0.5))
        shutil.rmtree(folder)
    return found


def _item(index: int, title: str) -> ItemText:
    return ItemText(index, title, identifiers=(f"sku{index:07d}",))


def _lexical_row(
    index: LexicalIndex, titles: list[str], queries: Sequence[str], root: Path
) -> dict[str, Any]:
    peer = _fts5(root / "peer.db", titles)
    for text in made_queries(titles, WARMING, seed=2):  # others than those that are measured
        _best(index, text)
        _fts5_best(peer, text)
    ours, others = [], []
    for text in queries:
        others.append(1000 * _seconds(partial(_fts5_best, peer, text)))
        ours.append(1000 * _seconds(partial(_best, index, text)))
    p50, p99 = np.percentile(ours, [50, 99])
    note(f"lexical: p50 {p50:.2f}, p99 {p99:.2f} ms CPU; FTS5: p50 {np.median(others):.2f}")
    peer.close()
    return {
        **bounded_row("lexical", "ms CPU a query", float(p50), 1.5, 0.8),
        "peer": "SQLite FTS5, bm25",
        "peer_value": float(np.median(others)),
        "ratio": None,
    }


def _best(index: LexicalIndex, text: str) -> int:
    query = lexical_query(text)
    return len(index.top(query, query.least, COUNT)[0])


def _fts5(file: Path, titles: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    connection.execute("CREATE VIRTUAL TABLE titles USING fts5(title, tokenize='porter unicode61')")
    connection.executemany("INSERT INTO titles(title) VALUES (?)", ((title,) for title in titles))
    connection.execute("INSERT INTO titles(titles) VALUES ('optimize')")
    connection.commit()
    return connection


def _fts5_best(connection: sqlite3.Connection, text: str) -> int:
    words = " OR ".join(f'"{word}"' for word in text.split())
    wanted = "SELECT rowid FROM titles WHERE titles MATCH ? ORDER BY rank LIMIT ?"
    return len(connection.execute(wanted, (words, COUNT)).fetchall())


def _update_seconds(writer: LexicalWriter, titles: Sequence[str], queries: Sequence[str]) -> float:
    """Wall-clock seconds of 1,000 changes, the median of five, with readers under load."""
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            for text in queries[:50]:
                _best(writer.view, text)
                time.sleep(0.005)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    taken = []
    for turn in range(5):
        items = [_item(turn * UPDATES + row, f"fresh{turn} {titles[row]}") for row in range(1, UPDATES + 1)]
        items[: UPDATES // 2] = [
            ItemText(TITLES + turn * UPDATES + row, f"fresh{turn} {titles[row]}")
            for row in range(UPDATES // 2)
        ]
        before = time.perf_counter()
        view = writer.apply(items)
        found = view.matching(lexical_query(f"fresh{turn}"), 1)
        taken.append(time.perf_counter() - before)
        assert len(found) == UPDATES, len(found)
    stop.set()
    for reader in readers:
        reader.join()
    return float(np.median(taken))


def _seconds(work: Callable[[], Any]) -> float:
    """CPU of this process."""
    before = time.process_time()
    work()
    return time.process_time() - before
