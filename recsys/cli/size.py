"""`recsys size`: what a shop of a given size needs, and what breaks first as it grows."""

import os
from typing import Annotated

import psutil
import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts, print_json, print_rows

GB = 1e3  # in MB
_MEANING = {
    "memory": "memory: {stage} beside Redis and the service",
    "disk": "disk: most of it is of {stage}",
    "hour": "the job of each hour takes longer than an hour: {stage}",
    "cores": "cores: the requests need more than there are",
}


def size(
    items: Annotated[int, typer.Option(min=1, help="Of the catalog.")],
    users: Annotated[int, typer.Option(min=1, help="Of whom something is known.")],
    events: Annotated[int, typer.Option(min=1, help="That are kept.")],
    requests: Annotated[float, typer.Option(min=0, help="Recommendations a second at the peak.")] = 1.0,
    texts: Annotated[
        int | None, typer.Option(min=1, help="Distinct texts of items. Default: as items.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of training, the most.")] = 10,
    memory_gb: Annotated[
        float | None, typer.Option(min=0.1, help="Of the machine. Default: this one's.")
    ] = None,
    disk_gb: Annotated[float, typer.Option(min=0.1, help="That the home may take.")] = 100.0,
    cores: Annotated[int | None, typer.Option(min=1, help="Default: this machine's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the memory, disk and hours that a shop needs, and what breaks first as it grows.

    By how each stage grew where it was measured, see docs/scale.md; a figure beyond that is an
    extrapolation, and the column `beyond` says by how much. Hours are of one core.

    \b
    Example:
      recsys size --items 68000 --users 2500 --events 1500000 --requests 50
      recsys size --items 1000000 --users 2000000 --events 20000000 --memory-gb 64 --json
    """
    from recsys.sizing.needs import Machine, ShopSize, size_shop

    shop = ShopSize(items, users, events, texts or items, requests, epochs)
    memory_mb = psutil.virtual_memory().total / 1e6 if memory_gb is None else memory_gb * GB
    machine = Machine(memory_mb, disk_gb * GB, cores or os.cpu_count() or 1)
    needs, broken = size_shop(shop, machine)
    first = None if broken is None else {**vars(broken)}
    if as_json:
        print_json({**needs.to_json(), "exceeded": needs.exceeds(machine), "first_break": first})
        return
    rows = [
        {
            "stage": each.stage,
            "hours": f"{each.hours:.2f}",
            "memory GB": f"{each.memory_mb / GB:.1f}",
            "disk GB": f"{each.disk_mb / GB:.2f}",
            "beyond": f"{each.beyond:.1f}x" if each.beyond > 1 else "",
        }
        for each in needs.stages
    ]
    print_rows(rows, as_json=False, title=f"{items:,} items, {users:,} users, {events:,} events")
    facts = {
        "memory at once": f"{needs.memory_mb / GB:.1f} of {machine.memory_mb / GB:.1f} GB",
        "of it Redis": f"{needs.online_mb / GB:.2f} GB",
        "disk": f"{needs.disk_mb / GB:.1f} of {disk_gb:.1f} GB",
        "job of an hour": f"{needs.hourly_hours * 60:.1f} minutes",
        f"cores for {requests:g} requests/s": f"{needs.cores:.2f} of {machine.cores}",
    }
    print_facts(facts, as_json=False, title="In all")
    if broken is None:
        note("nothing of this machine is met as the shop grows")
        return
    what = _MEANING[broken.limit].format(stage=broken.stage)
    note(
        f"first to break, at {broken.times:.2g} times this shop ({events * broken.times:,.0f} events): {what}"
    )
