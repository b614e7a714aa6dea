"""Runs benchmarks one after the other and prints one table; `--json FILE` gets one object a row.

Each module beside this file has `rows()`: ours and a named peer, interleaved in one run, medians.
Figures where less is better carry `at_least` and `aim` as upper bounds, ratios as lower bounds.
The machine's `speed` is measured before and after each: what is `judged` is the ratio to the peer, and where
there is none `ours` at speed 1.0, at which `/v1/recommend` of commit 7722d12 costs 9.2 ms of CPU.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from reference_speed import drift_warning, judge_row, measure_speed

from recsys.cli.output import note, print_rows
from recsys.errors import RecsysError
from recsys.jobs.preconditions import check_file_writable

# benchmark -> module; a module may give several rows
MODULES = {
    "online-read": "online.read_bench",
    "online-read-vectors": "online.read_bench",
    "materialize": "online.materialize_bench",
    "recommend": "online.recommend_bench",
    "catalog-update": "online.update_bench",
    "overload": "online.overload_bench",
    "events-accept": "stream.events_accept_bench",
    "import": "import_bench",
    "filtered-retrieval": "filtered_bench",
    "lexical": "search.lexical_bench",
    "index-lexical": "search.lexical_bench",
    "index-update": "search.lexical_bench",
    "encode-query": "search.encode_query_bench",
    "encode-text": "search.encode_text_bench",
    "stream-worker": "stream.worker_bench",
    "stream-scale": "stream.scale_bench",
    "freshness": "stream.freshness_bench",
    "stream-write": "stream.write_bench",
    "redis-memory": "online.redis_memory_bench",
    "auction": "ads.auction_bench",
    "ads": "ads.ads_bench",
    "response": "ads.response_bench",
    "ctr-train": "ads.ctr_train_bench",
    "movielens-clicks": "ads.movielens_bench",
    "search": "search.search_bench",
    "suggest": "search.search_bench",
    "bought-next": "search.bought_next_bench",
    "growth": "growth.growth_bench",
    "quality": "quality.quality_bench",
    "train-speed": "quality.train_speed_bench",
    "shared-representation": "quality.shared_representation_bench",
}
# They take minutes and need a home with a shop; quality and train-speed the peers' environment too.
BY_NAME_ONLY = (
    "search",
    "suggest",
    "bought-next",
    "response",
    "ctr-train",
    "movielens-clicks",
    "growth",
    "quality",
    "train-speed",
    "shared-representation",
)


def main() -> int:
    """Runs the named benchmarks (default: all but the peers'); 1 if any row misses its `at_least`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(MODULES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows here")
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="quality, train-speed: an imported shop's home"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="movielens-clicks: MovieLens 100K's folder")
    parser.add_argument("--items", help="growth: three or more numbers of items, such as 1e4,1e5,1e6")
    parser.add_argument(
        "--curves", type=Path, metavar="FILE", help="growth: also write what was measured here"
    )
    parser.add_argument("--protocol", help="quality, train-speed: time-split or leave-one-out")
    parser.add_argument("--peers", help="quality: some of sasrec,bert4rec,als,bpr; default all")
    arguments = parser.parse_args()
    if arguments.home:
        os.environ["RECSYS_HOME"] = str(arguments.home.resolve())
    if arguments.data:
        os.environ["RECSYS_BENCH_DATA"] = str(arguments.data.resolve())
    if arguments.items:
        os.environ["RECSYS_BENCH_ITEMS"] = arguments.items
    if arguments.curves:
        check_file_writable(arguments.curves, "--curves", makes_folders=False)
        os.environ["RECSYS_BENCH_CURVES"] = str(arguments.curves.resolve())
    if arguments.protocol:
        os.environ["RECSYS_BENCH_PROTOCOL"] = arguments.protocol
    if arguments.peers:
        os.environ["RECSYS_BENCH_PEERS"] = arguments.peers
    unknown = sorted(set(arguments.names) - set(MODULES))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; known: {', '.join(MODULES)}")
    if arguments.json:
        check_file_writable(arguments.json, "--json", makes_folders=False)
    names = arguments.names or [name for name in MODULES if name not in BY_NAME_ONLY]
    rows = _measure_rows(names)
    print_rows(rows, as_json=False, title="benchmarks")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
    return 0 if all(row["ok"] for row in rows) else 1


def _measure_rows(names: Sequence[str]) -> list[dict[str, object]]:
    """Rows of the named benchmarks, each judged at the mean of the speeds just before and just after it."""
    rows: list[dict[str, object]] = []
    after = measure_speed()
    for module in dict.fromkeys(MODULES[name] for name in names):
        note(f"running {module} ...")
        before, found = after, importlib.import_module(module).rows()
        after = measure_speed()
        note(f"speed of the machine: {before:.2f} before, {after:.2f} after")
        if warning := drift_warning(before, after):
            note(warning)
        speed = (before + after) / 2
        rows += [
            judge_row(row, speed) for row in found if any(str(row["name"]).startswith(name) for name in names)
        ]
    return rows


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RecsysError as error:
        note(f"error: {error}")
        sys.exit(1)
