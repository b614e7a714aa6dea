"""growth: each stage of a shop's way at three sizes, and the exponent that its CPU and memory grow by.

Sizes are those of --items, by default 10,000, 30,000 and 100,000 with twenty events an item; the stages run
as users run them, on a home of their own. A row fails where an exponent passes the one that the stage states.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from growth.stages import STAGES, Cost, Shop, Stage, run_stage
from growth.synthetic_shop import shop_size, write_shop
from recsys.cli.output import note, print_rows
from recsys.config import load_settings
from recsys.documents import JsonObject
from recsys.sizing.growth_curve import check_sizes, growth_curve
from recsys.sizing.measured import DRIVERS
from recsys.sizing.shop_size import ShopSize

ITEMS = (10_000, 30_000, 100_000)
# A stage whose costs differ by less does not grow, as far as these sizes can tell.
NOISE_MB, NOISE_SECONDS = 50.0, 5.0


def rows() -> list[dict[str, Any]]:
    """A row for the CPU and one for the memory of each stage that states an exponent."""
    sizes = [shop_size(items) for items in _items()]
    costs = [_measure(size) for size in sizes]
    _print(sizes, costs)
    if file := os.environ.get("RECSYS_BENCH_CURVES"):
        Path(file).write_text(json.dumps(curves(sizes, costs), indent=1) + "\n", "utf-8")
    found = []
    for stage in STAGES:
        if stage.name not in DRIVERS:
            continue
        of_stage = [cost[stage.name] for cost in costs]
        drivers = [float(size.of(stage.driver)) for size in sizes]
        if stage.most_cpu is not None:
            if stage.judged_by_figure:
                exponent = _exponent(drivers, [cost.figure or 0.0 for cost in of_stage], 0.0)
            else:
                exponent = _exponent(drivers, [cost.cpu_seconds for cost in of_stage], NOISE_SECONDS)
            found.append(_row(stage, "figure" if stage.judged_by_figure else "CPU", exponent, stage.most_cpu))
        if stage.most_memory is not None:
            exponent = _exponent(drivers, [cost.memory_mb for cost in of_stage], NOISE_MB)
            found.append(_row(stage, "memory", exponent, stage.most_memory))
    return found


def curves(sizes: Sequence[ShopSize], costs: Sequence[dict[str, Cost]]) -> JsonObject:
    """What was measured, as `recsys size` reads it: the shops, and each stage's costs at each of them."""
    names = ("cpu_seconds", "memory_mb", "disk_mb", "figure")
    stages = {
        stage: {name: [round(asdict(cost[stage])[name] or 0.0, 3) for cost in costs] for name in names}
        for stage in DRIVERS
    }
    return {"shops": [asdict(size) for size in sizes], "stages": stages}


def _items() -> list[int]:
    text = os.environ.get("RECSYS_BENCH_ITEMS")
    items = [int(float(each)) for each in text.split(",")] if text else list(ITEMS)
    check_sizes(items)
    return items


def _measure(size: ShopSize) -> dict[str, Cost]:
    folder = Path(tempfile.mkdtemp(prefix="recsys-growth-"))
    shop = Shop(folder, load_settings().root, size)
    found: dict[str, Cost] = {}
    try:
        write_shop(folder / "source", size)
        for stage in STAGES:
            found[stage.name] = cost = run_stage(stage, shop)
            note(
                f"{size.items:,} items: {stage.name}: {cost.cpu_seconds:.1f} s CPU, "
                f"{cost.wall_seconds:.1f} s, {cost.memory_mb:,.0f} MB"
            )
    finally:
        if "down" not in found:
            _stop(shop)
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _stop(shop: Shop) -> None:
    if (shop.home / "redis").exists():
        run_stage(STAGES[-1], shop)


def _print(sizes: Sequence[ShopSize], costs: Sequence[dict[str, Cost]]) -> None:
    table = [
        {
            "stage": stage.name,
            "events": f"{size.events:,}",
            "items": f"{size.items:,}",
            "CPU s": round(cost[stage.name].cpu_seconds, 1),
            "s": round(cost[stage.name].wall_seconds, 1),
            "MB": round(cost[stage.name].memory_mb),
            "disk MB": round(cost[stage.name].disk_mb),
            "figure": "" if cost[stage.name].figure is None else round(cost[stage.name].figure or 0, 2),
        }
        for stage in STAGES
        for size, cost in zip(sizes, costs, strict=True)
    ]
    print_rows(table, as_json=False, title="stages")


def _exponent(sizes: Sequence[float], costs: Sequence[float], noise: float) -> float:
    return growth_curve(sizes, costs).exponent if max(costs) - min(costs) > noise else 0.0


def _row(stage: Stage, what: str, exponent: float, most: float) -> dict[str, Any]:
    return {
        "name": f"growth: {stage.name}, {what} by {stage.driver}",
        "unit": "exponent",
        "ours": exponent,
        "peer": None,
        "peer_value": None,
        "ratio": exponent,
        "at_least": most,
        "aim": 1.0,
        "ok": exponent <= most,
    }


if __name__ == "__main__":
    for row in rows():
        print(row)
