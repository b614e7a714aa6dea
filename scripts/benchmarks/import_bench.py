"""import: the demo shop's 1,469,307 receipt lines as CSV into a clean home, beside pandas.read_csv.

Reading the same file and doing nothing with it is the floor. Ours reads, cleans, validates and writes
events by day, with the catalog and the users, into a new home each time.
"""

import gc
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import mapping_sha256, mapping_text, parse_mapping
from recsys.instants import utc_now
from recsys.jobs.data.demo import DEMO_MAPPING, installed_demo
from recsys.jobs.data.import_shop import run_import

ROUNDS = 3
AT_LEAST, AIM = 4.0, 2.0
LINES = "transactions.csv"


def rows() -> list[dict[str, Any]]:
    """One row: wall seconds of ours and of the floor, medians of turns taken one after the other."""
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        source = Path(folder) / "source"
        _write_source(source)
        ours, floor = _measure(source, Path(folder) / "home")
    ratio = ours / floor
    return [
        {
            "name": "import",
            "unit": "s",
            "ours": round(ours, 3),
            "peer": "pandas.read_csv of the same file",
            "peer_value": round(floor, 3),
            "ratio": round(ratio, 2),
            "at_least": AT_LEAST,
            "aim": AIM,
            "ok": ratio <= AT_LEAST,
        }
    ]


def _write_source(source: Path) -> None:
    demo = installed_demo()
    source.mkdir()
    pacsv.write_csv(pq.read_table(demo / "transactions.parquet"), source / LINES)
    for name in ("products.parquet", "demographics.parquet"):
        shutil.copy(demo / name, source / name)


def _measure(source: Path, home: Path) -> tuple[float, float]:
    _, text = mapping_text(DEMO_MAPPING)
    text = text.replace('"transactions.parquet"', f'"{LINES}"')
    shop = ShopFiles(parse_mapping(text, DEMO_MAPPING), mapping_sha256(text), source)

    def ours() -> None:
        run_import(HomePaths(home), shop, text, utc_now())

    taken: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        taken.append((_seconds(ours), _seconds(lambda: pd.read_csv(source / LINES))))
        shutil.rmtree(home)
    return median(first for first, _ in taken), median(second for _, second in taken)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in rows():
        print(row)
