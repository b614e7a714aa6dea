"""`recsys size`: what a shop of a given size needs, and what it meets first as it grows."""

import os
from typing import TYPE_CHECKING, Annotated

import psutil
import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.sizing.shop_size import ShopSize

if TYPE_CHECKING:
    from recsys.sizing.needs import StageNeed

GB = 1e3  # in MB
_MEANINGS = {
    "memory": "memory, of which {stage} takes most beside Redis and the service",
    "disk": "disk, of which {stage} takes most",
    "hour": "the hourly job takes longer than an hour, {stage} most of it",
    "day": "training takes longer than a day",
    "cores": "the requests need more cores than there are",
}


def size(
    items: Annotated[int, typer.Option(min=1, help="Of the catalog.")],
    users: Annotated[int, typer.Option(min=1, help="Of whom something is known.")],
    events: Annotated[int, typer.Option(min=1, help="That are kept.")],
    requests: Annotated[float, typer.Option(min=0, help="Recommendations a second at the peak.")] = 1.0,
    texts: Annotated[
        int | None, typer.Option(min=1, help="Distinct texts of items. Default: as many as items.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of training, the most.")] = 10,
    memory_gb: Annotated[
        float | None, typer.Option(min=0.1, help="Of the machine. Default: this one's.")
    ] = None,
    disk_gb: Annotated[float, typer.Option(min=0.1, help="That the home may take.")] = 100.0,
    cores: Annotated[int | None, typer.Option(min=1, help="Default: this machine's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the memory, disk and hours that a shop needs, and what it meets first as it grows.

    By what each stage cost where it was measured, see docs/scale.md. What is beyond the largest shop measured
    is an extrapolation, and the last column says by how much. CPU is time of one core.

    \b
    Example:
      recsys size --items 68000 --users 2500 --events 1500000 --requests 50
      recsys size --items 1000000 --users 2000000 --events 20000000 --memory-gb 64 --json
    """
    from recsys.sizing.needs import Machine, Use, size_shop

    shop, use = ShopSize(items, users, events, texts or items), Use(requests, epochs)
    memory_mb = psutil.virtual_memory().total / 1e6 if memory_gb is None else memory_gb * GB
    machine = Machine(memory_mb, disk_gb * GB, cores or os.cpu_count() or 1)
    needs, broken = size_shop(shop, use, machine)
    if as_json:
        first = None if broken is None else vars(broken)
        print_json({**needs.to_json(), "exceeded": needs.exceeds(machine), "first_break": first})
        return
    rows = [_stage_row(each, epochs) for each in needs.stages]
    print_rows(rows, as_json=False, title=f"{items:,} items, {users:,} users, {events:,} events")
    facts = {
        "memory at once": f"{needs.memory_mb / GB:.1f} of {machine.memory_mb / GB:.1f} GB",
        "of it Redis": f"{needs.online_mb / GB:.2f} GB",
        "disk": f"{needs.disk_mb / GB:.1f} of {disk_gb:.1f} GB",
        "hourly job, 1% of new events": _duration(needs.hourly_hours),
        f"cores for {requests:g} requests/s": f"{needs.cores:.2f} of {machine.cores}",
    }
    print_facts(facts, as_json=False, title="In all")
    if broken is None:
        note("as the shop grows it meets no limit of this machine")
        return
    what = _MEANINGS[broken.limit].format(stage=broken.stage)
    note(f"met first, at {broken.times:.2g} times this shop ({events * broken.times:,.0f} events): {what}")


def _stage_row(need: "StageNeed", epochs: int) -> dict[str, str]:
    labels = {"train one epoch": f"train {epochs} epochs", "recommend": "one service"}
    return {
        "stage": labels.get(need.stage, need.stage),
        "CPU": "" if need.stage == "recommend" else _duration(need.hours),
        "memory GB": f"{need.memory_mb / GB:.1f}",
        "disk GB": f"{need.disk_mb / GB:.2f}",
        "beyond what was measured": f"{need.scale:.1f}x" if need.scale > 1 else "",
    }


def _duration(hours: float) -> str:
    seconds = 3600 * hours
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if hours < 2 else f"{hours:.1f} h"
