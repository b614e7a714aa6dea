"""Lines for cron and units for systemd: what their own parsers make of them, and what the shell is given."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.cli.schedule import ScheduledJob, crontab_text, service_unit, systemd_units
from recsys.config import Settings
from recsys.instants import utc_now

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))  # of the five fields of a line of cron
JOBS = ("recsys-features", "recsys-compact", "recsys-train")


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["schedule", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["files"]


def parsed_crontab(text: str) -> tuple[dict[str, str], list[tuple[list[str], str]]]:
    """Variables and (fields, command) of a crontab, read by cron's own rules."""
    variables, jobs = {}, []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        assigned = re.fullmatch(r"(\w+)=(.*)", line)
        if assigned:
            variables[assigned[1]] = assigned[2]
            continue
        *fields, command = line.split(None, 5)
        for field, (least, most) in zip(fields, RANGES, strict=True):
            assert field == "*" or least <= int(field) <= most, line
        assert not re.search(r"(?<!\\)%", command), f"cron ends the command at a bare %: {line}"
        jobs.append((fields, command.replace("\\%", "%")))
    return variables, jobs


def test_cron_gets_an_hourly_a_compacting_and_a_nightly_line(home: Path) -> None:
    variables, jobs = parsed_crontab(run("--at", "03:15")["crontab"])
    assert variables["RECSYS_HOME"] == str(home)
    features, compact, train = jobs
    assert features[0] == ["45", "*", "*", "*", "*"]
    assert compact[0] == ["15", "2", "*", "*", "*"]
    assert train[0] == ["15", "3", "*", "*", "*"]
    assert "features build && " in features[1]
    assert "materialize-incremental $(date -u +%Y-%m-%dT%H:%M:%SZ)" in features[1]
    assert "train --incremental && " in train[1]
    assert "models promote-if-better" in train[1]


def test_a_shop_whose_files_are_named_is_refreshed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_IMPORT__MAPPING", "shop.toml")
    _, jobs = parsed_crontab(run()["crontab"])
    assert re.search(r"/recsys refresh;? }", jobs[0][1])


def test_a_line_of_cron_runs_in_the_checkout_and_leaves_its_output_in_the_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a home", root=tmp_path)
    (tmp_path / "a home").mkdir()
    job = ScheduledJob("j", "a job", "pwd; echo 100%; date -u +%Y", None, 0)
    [(_, command)] = parsed_crontab(crontab_text([job], settings))[1]
    subprocess.run(["/bin/sh", "-c", command], check=True, cwd="/")
    year = str(utc_now().year)
    assert (tmp_path / "a home" / "schedule.log").read_text().split("\n")[:2] == [str(tmp_path), "100%"]
    assert year in (tmp_path / "a home" / "schedule.log").read_text()


def test_compacting_before_a_training_at_midnight_is_the_evening_before(home: Path) -> None:
    fields = [fields for fields, _ in parsed_crontab(run("--at", "00:05")["crontab"])[1]]
    assert [field[:2] for field in fields] == [["35", "*"], ["5", "23"], ["5", "0"]]


def test_systemd_gets_a_service_and_a_timer_for_each_job(home: Path) -> None:
    units = run("--format", "systemd")
    jobs = {f"{name}.{kind}" for name in JOBS for kind in ("service", "timer")}
    assert set(units) == {"recsys.service", *jobs}
    assert units == run("--systemd")
    assert "OnCalendar=*-*-* *:30:00" in units["recsys-features.timer"]
    assert "OnCalendar=*-*-* 03:00:00" in units["recsys-train.timer"]
    assert f'Environment="RECSYS_HOME={home}"' in units["recsys-train.service"]


def test_what_systemd_hands_to_the_shell_is_the_command(tmp_path: Path) -> None:
    command = 'echo "$(date -u +%Y)" 100% \\ done'
    unit = systemd_units([ScheduledJob("j", "a job", command, None, 0)], Settings(home=tmp_path))["j.service"]
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    # systemd splits words as the shell does, then undoes its own %% and $$.
    words = shlex.split(line.removeprefix("ExecStart="))
    assert words[:2] == ["/bin/sh", "-c"]
    assert words[2].replace("%%", "%").replace("$$", "$") == command


def test_the_shop_runs_as_a_unit_that_is_restarted_drained_and_hardened(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a home", root=tmp_path / "100%")
    unit = service_unit(settings, Path("/opt/a shop/bin"))
    lines = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert shlex.split(lines["ExecStart"]) == ["/opt/a shop/bin/recsys", "start"]
    assert lines["WorkingDirectory"] == f"{tmp_path}/100%%"
    assert shlex.split(lines["Environment"]) == [f"RECSYS_HOME={tmp_path}/a home"]
    assert lines["EnvironmentFile"] == f"-{tmp_path}/a home/recsys.env"
    assert (lines["Restart"], lines["KillMode"]) == ("on-failure", "mixed")
    assert int(lines["TimeoutStopSec"]) > 30  # what `recsys start` takes to drain
    assert lines["NoNewPrivileges"] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_itself_finds_nothing_wrong(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    result = CliRunner().invoke(app, ["schedule", "--format", "systemd", "--into", str(folder)])
    assert result.exit_code == 0
    assert "systemctl --user enable --now recsys.service recsys-features.timer" in result.stderr
    units = [str(path) for path in sorted(folder.iterdir())]
    done = subprocess.run(["systemd-analyze", "verify", "--user", *units], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "recsys" in line]
    assert complaints == []
    for when in ("*-*-* *:30:00", "*-*-* 03:00:00"):
        subprocess.run(["systemd-analyze", "calendar", when], check=True, capture_output=True)


def test_settings_of_the_shell_that_a_job_would_lack_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/d")
    result = CliRunner().invoke(app, ["schedule"])
    assert "DATABASE_URL come" in result.stderr
    assert "secret" not in result.stdout + result.stderr


@pytest.mark.parametrize("wrong", [("--at", "25:00"), ("--format", "launchd"), ("--into", "units")])
def test_wrong_usage_exits_2(home: Path, wrong: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["schedule", *wrong]).exit_code == 2
