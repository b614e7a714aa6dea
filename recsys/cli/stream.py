"""`recsys stream`: workers of the event stream, how far they are, and what they could not process."""

import sys
from typing import Annotated

import typer

from recsys.cli.options import AsJson, Log, log_format, parse_instant
from recsys.cli.output import bars, note, print_facts, print_json, print_rows, set_log_format
from recsys.config import load_settings
from recsys.errors import ConfigError
from recsys.instants import now_micros
from recsys.processes import end_with_starter, stop_on_signals

app = typer.Typer(no_args_is_help=True, help="Events in real time: workers, status, dead letters, replay.")
dlq = typer.Typer(no_args_is_help=True, help="Dead letters: entries that could not be processed.")
app.add_typer(dlq, name="dlq")

LetterIds = Annotated[list[str] | None, typer.Argument(help="Ids that `recsys stream dlq list` shows.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command()
def run(
    partitions: Annotated[
        str | None, typer.Option(help="Own these and no others, for example 0-3,7. Default: a fair share.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Process what is there, then exit.")] = False,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Run one worker: events to features online and to the event lake. Run more for more throughput.

    Workers share the partitions among them and take over those of a worker that dies. Stop one with
    Ctrl-C or SIGTERM: it finishes its batch. Killing it loses nothing either. It logs when it is ready,
    then a line a minute.

    \b
    Example:
      recsys stream run
      recsys stream run --partitions 0-3
      recsys stream run --once
    """
    end_with_starter()
    if log is not None:
        set_log_format(log_format(log))
    pinned = parse_partitions(partitions) if partitions else ()  # before anything slow is imported

    from recsys.jobs.stream.run import drain_stream, run_stream

    settings = load_settings()
    if once:
        print_facts(drain_stream(settings, pinned).to_json(), as_json=as_json)
        return
    run_stream(settings, pinned, stop_on_signals())


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show how far the workers are: lag by partition, rate, what was kept and rejected, and freshness.

    Also tells of events about items that the catalog does not know, of wrong clocks, and of settings that the
    stream does not have.

    \b
    Example:
      recsys stream status
      recsys stream status --json
    """
    from recsys.jobs.stream.status import stream_report

    report = stream_report(load_settings()).to_json()
    if as_json:
        print_json(report)
        return
    print_rows(report["partitions"], as_json=False, title="Partitions")
    print_facts(report["events"], as_json=False, title="Events")
    if any(report["clock"].values()):
        print_facts(report["clock"], as_json=False, title="Wrong clocks")
    print_facts(report["freshness"], as_json=False, title="Accepted to visible online, last ten minutes")
    print_facts(report["state"], as_json=False, title="State")
    if report["unknown_items"]:
        note(f"events are about items that the catalog does not know: {', '.join(report['unknown_items'])}")
    if report["problem"]:
        note(f"error: {report['problem']}")


@dlq.command("list")
def list_(
    count: Annotated[int, typer.Option(help="At most that many, the oldest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the entries that could not be processed, and why.

    \b
    Example:
      recsys stream dlq list
    """
    from recsys.jobs.stream.dead_letters import list_dead_letters

    letters = list_dead_letters(load_settings(), count)
    print_rows([letter.to_json() for letter in letters], as_json=as_json)


@dlq.command()
def retry(ids: LetterIds = None, everything: All = False, as_json: AsJson = False) -> None:
    """Put dead letters into the stream again, once what was wrong is mended.

    \b
    Example:
      recsys stream dlq retry --all
    """
    from recsys.jobs.stream.dead_letters import retry_dead_letters

    wanted = _checked_ids(ids, everything)
    print_facts(retry_dead_letters(load_settings(), wanted).to_json(), as_json=as_json)


@dlq.command()
def drop(ids: LetterIds = None, everything: All = False, as_json: AsJson = False) -> None:
    """Forget dead letters for good.

    \b
    Example:
      recsys stream dlq drop 3-1700000000000000
    """
    from recsys.jobs.stream.dead_letters import drop_dead_letters

    wanted = _checked_ids(ids, everything)
    print_facts(drop_dead_letters(load_settings(), wanted).to_json(), as_json=as_json)


@app.command()
def replay(
    start: Annotated[
        str | None, typer.Option("--from", help="Only events from this instant on, ISO 8601.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Only events before this instant, with features as of then.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild the online features of users and items from the event lake, then switch to them at once.

    Services and workers may go on meanwhile. Without --from and --to the workers' state is built anew too.
    With --to the features are those of a past instant, until new events come: for a look back, or a test.

    \b
    Example:
      recsys stream replay
      recsys stream replay --from "$(date -d '90 days ago' +%F)" --to "$(date -d yesterday +%F)"
    """
    from recsys.jobs.stream.replay import replay_events

    first = None if start is None else parse_instant("--from", start)
    last = None if end is None else parse_instant("--to", end)
    replayed = replay_events(load_settings(), now_micros(), first, last, bars)
    print_facts(replayed.to_json(), as_json=as_json, title="Replayed")


@app.command()
def repartition(as_json: AsJson = False) -> None:
    """Give the event stream the number of partitions that `stream.partitions` says.

    What waits is processed first. Until that is done no event is accepted; services and workers that run with
    the earlier number refuse to go on: start them again afterwards. If it is cut short, run it
    again.

    \b
    Example:
      RECSYS_STREAM__PARTITIONS=16 recsys stream repartition
    """
    from recsys.jobs.stream.repartition import repartition_stream

    result = repartition_stream(load_settings()).to_json()
    print_facts(result, as_json=as_json, title="Partitions")


def parse_partitions(text: str) -> frozenset[int]:
    """The partitions that `text` names.

    >>> sorted(parse_partitions("0-2,7"))
    [0, 1, 2, 7]
    """
    found: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise ConfigError(
            f"--partitions {text!r} is not a list of partitions. Write for example 0-3,7."
        ) from error
    if not found:
        raise ConfigError(f"--partitions {text!r} names none. Write for example 0-3,7.")
    return frozenset(found)


def _checked_ids(ids: list[str] | None, everything: bool) -> list[str]:
    """The ids that were given; none = all, which must be said."""
    if bool(ids) == everything:
        note("error: pass ids, or --all for all of them")
        sys.exit(2)
    return ids or []
