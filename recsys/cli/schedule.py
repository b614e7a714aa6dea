"""`recsys schedule`: what keeps a shop fresh and running, as lines for cron or units for systemd."""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_json
from recsys.config import Settings, load_settings, setting_sources
from recsys.errors import DataError

SERVICE_UNIT = "recsys.service"
ENVIRONMENT_FILE = "recsys.env"  # in the home, of mode 0600: lines such as RECSYS_API_KEY=...
# The end of the materialization is the clock's when the job runs.
_NOW = "$(date -u +%Y-%m-%dT%H:%M:%SZ)"


@dataclass(frozen=True)
class ScheduledJob:
    """One thing to do again and again.

    Attributes:
        command: a line of sh.
        hour: None = every hour.
        minute: of the hour.
    """

    name: str
    description: str
    command: str
    hour: int | None
    minute: int


def schedule(
    kind: Annotated[str, typer.Option("--format", help="cron or systemd.")] = "cron",
    systemd: Annotated[bool, typer.Option("--systemd", help="The same as --format systemd.")] = False,
    at: Annotated[str, typer.Option(help="When to train, HH:MM by the machine's clock.")] = "03:00",
    into: Annotated[
        Path | None,
        typer.Option(help="Write systemd's unit files into this folder instead of printing them."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print cron lines or systemd units that keep features, model and event lake fresh, and the shop running.

    Every hour: `recsys refresh` where [import] names the shop's files, else build features and bring them
    online. Every night: merge the event lake's files, audit what was served, train on what is new, and
    promote the result if it is better. For systemd there is a unit of `recsys start` too.

    \b
    Example:
      recsys schedule --format cron --at 03:00
      recsys schedule --format systemd --into ~/.config/systemd/user
    """
    kind = "systemd" if systemd else kind
    if kind not in ("cron", "systemd"):
        raise typer.BadParameter(f"{kind!r} is neither cron nor systemd", param_hint="--format")
    if into is not None and kind != "systemd":
        raise typer.BadParameter("only systemd has unit files", param_hint="--into")
    settings = load_settings()
    _warn_of_environment()
    programs = Path(sys.executable).parent
    jobs = scheduled_jobs(settings, programs, *_time_of_day(at))
    if kind == "cron":
        files = {"crontab": crontab_text(jobs, settings)}
    else:
        files = {SERVICE_UNIT: service_unit(settings, programs), **systemd_units(jobs, settings)}
    if into is not None:
        _write(into, files)
    if as_json:
        print_json({"format": kind, "files": files})
    elif into is None:
        sys.stdout.write("\n".join(_shown(name, text, kind) for name, text in files.items()))


def scheduled_jobs(settings: Settings, programs: Path, hour: int, minute: int) -> tuple[ScheduledJob, ...]:
    """The jobs of a shop; training at `hour`:`minute`, the lake's files merged an hour before.

    Args:
        programs: the folder of the environment's programs.
    """
    recsys, feast = (shlex.quote(str(programs / name)) for name in ("recsys", "feast"))
    repo = shlex.quote(str(settings.feature_repo))
    features = (
        "recsys: build features and bring them online",
        f"{recsys} features build && {feast} -c {repo} materialize-incremental {_NOW}",
    )
    if settings.import_.mapping:
        features = ("recsys: import changed files, build features and bring them online", f"{recsys} refresh")
    return (
        ScheduledJob("recsys-features", *features, None, (minute + 30) % 60),
        ScheduledJob(
            "recsys-compact",
            "recsys: merge the files of the event lake",
            f"{recsys} data compact",
            (hour - 1) % 24,
            minute,
        ),
        ScheduledJob(
            "recsys-train",
            "recsys: audit what was served, train on what is new, promote it if it is better",
            # A failed audit does not stop the training: promotion requires one that passed.
            f"{recsys} features audit; {recsys} train --incremental && {recsys} models promote-if-better",
            hour,
            minute,
        ),
    )


def crontab_text(jobs: Sequence[ScheduledJob], settings: Settings) -> str:
    """A crontab; `%` means a new line to cron, so it is escaped."""
    home, root = settings.paths.home, settings.root
    lines = [
        "# recsys schedule --format cron",
        f"RECSYS_HOME={home}",
        "SHELL=/bin/sh",
    ]
    log = shlex.quote(str(home / "schedule.log"))
    for job in jobs:
        when = f"{job.minute} {'*' if job.hour is None else job.hour} * * *"
        line = f"cd {shlex.quote(str(root))} && {{ {job.command}; }} >> {log} 2>&1"
        lines += [f"# {job.description}", f"{when} {line.replace('%', chr(92) + '%')}"]
    return "\n".join(lines) + "\n"


def systemd_units(jobs: Sequence[ScheduledJob], settings: Settings) -> dict[str, str]:
    """File name -> unit: a service and a timer a job."""
    units = {}
    for job in jobs:
        when = f"*-*-* {'*' if job.hour is None else f'{job.hour:02}'}:{job.minute:02}:00"
        units[f"{job.name}.service"] = _unit(
            ("Unit", {"Description": job.description}),
            (
                "Service",
                {
                    "Type": "oneshot",
                    "WorkingDirectory": _unit_text(str(settings.root)),
                    **_environment(settings),
                    # `$` is systemd's here unless it is doubled, and the shell shall see it.
                    "ExecStart": f"/bin/sh -c {_quoted(job.command.replace('$', '$$'))}",
                    "Nice": "10",
                },
            ),
        )
        units[f"{job.name}.timer"] = _unit(
            ("Unit", {"Description": f"{job.description} (timer)"}),
            ("Timer", {"OnCalendar": when, "Persistent": "true"}),
            ("Install", {"WantedBy": "timers.target"}),
        )
    return units


def service_unit(settings: Settings, programs: Path) -> str:
    """The unit of `recsys start`: Redis, stream workers and the HTTP service.

    Args:
        programs: the folder of the environment's programs.
    """
    return _unit(
        (
            "Unit",
            {
                "Description": "recsys: Redis, stream workers and HTTP service of a shop",
                "Wants": "network-online.target",
                "After": "network-online.target",
            },
        ),
        (
            "Service",
            {
                # Not notify: a shop without a bundle runs, takes events, and is not ready for days.
                "Type": "exec",
                "WorkingDirectory": _unit_text(str(settings.root)),
                **_environment(settings),
                "ExecStart": f"{_quoted(str(programs / 'recsys').replace('$', '$$'))} start",
                "Restart": "on-failure",
                "RestartSec": "10",
                # SIGTERM goes to the supervisor alone, which drains the others in 30 s.
                "KillMode": "mixed",
                "TimeoutStopSec": "40",
                "UMask": "0077",
                "NoNewPrivileges": "yes",
                "PrivateTmp": "yes",
                "ProtectSystem": "full",
                "RestrictSUIDSGID": "yes",
                "LockPersonality": "yes",
            },
        ),
        ("Install", {"WantedBy": "default.target"}),
    )


def _environment(settings: Settings) -> dict[str, str]:
    """The home, and a file for secrets, which a unit would show to everybody; `-`: it need not be there."""
    return {
        "Environment": _quoted(f"RECSYS_HOME={settings.paths.home}"),
        "EnvironmentFile": f"-{_unit_text(str(settings.paths.home / ENVIRONMENT_FILE))}",
    }


def _unit(*sections: tuple[str, dict[str, str]]) -> str:
    parts = [
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
        for name, values in sections
    ]
    return "\n".join(parts)


def _unit_text(text: str) -> str:
    """`%` begins a specifier in a unit."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word of a unit's line."""
    return '"' + _unit_text(text.replace(chr(92), chr(92) * 2).replace('"', chr(92) + '"')) + '"'


def _warn_of_environment() -> None:
    """Notes which settings a job would not have, because they come from this shell's environment."""
    given = setting_sources()
    named = {
        source for name, source in given.items() if name not in ("home", "root") and source in os.environ
    }
    if named:
        note(
            f"warning: {', '.join(sorted(named))} come from this environment, which a scheduled job does not "
            f"have. Write them into recsys.toml, the crontab, or for systemd {ENVIRONMENT_FILE} in the home."
        )


def _time_of_day(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is not a time of day such as 03:00", param_hint="--at")
    return int(found[1]), int(found[2])


def _shown(name: str, text: str, kind: str) -> str:
    return text if kind == "cron" else f"# {name}\n{text}"


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}. Name another.") from error
    enabled = " ".join(name for name in files if name.endswith(".timer") or name == SERVICE_UNIT)
    note(
        f"units are in {folder}. Next: systemctl --user daemon-reload; "
        f"systemctl --user enable --now {enabled}"
    )
