"""Nothing reports usage to its makers unless the user asks for it, however a shop is started."""

import os
import subprocess
import sys
from pathlib import Path

import feast
import pytest

ROOT = Path(__file__).parent.parent
ASKED = {"BENTOML_DO_NOT_TRACK": "False", "HF_HUB_DISABLE_TELEMETRY": "0"}
# `bentoml serve` up to where it refuses an open address without a key: BentoML reports that failure too.
BENTOML_SERVE = """
import sys, httpx
httpx.post = lambda url, **_: print("REPORTED", url, flush=True)
sys.argv = ["bentoml", "serve", "--host", "0.0.0.0"]
from bentoml_cli.cli import cli
cli()
"""


def run(program: str, home: Path, **variables: str) -> str:
    """What a program prints, in an environment that says nothing of tracking but `variables`."""
    kept = {name: value for name, value in os.environ.items() if name not in (*ASKED, "RECSYS_API_KEY")}
    environment = {**kept, "RECSYS_HOME": str(home), **variables}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True)
    return (done.stdout + done.stderr).decode()


@pytest.mark.slow
def test_bentoml_serve_as_typed_reports_nothing(tmp_path: Path) -> None:
    output = run(BENTOML_SERVE, tmp_path)
    assert "RECSYS_API_KEY" in output
    assert "REPORTED" not in output


@pytest.mark.slow
def test_bentoml_serve_reports_what_the_user_asks_for(tmp_path: Path) -> None:
    assert "REPORTED https://t.bentoml.com" in run(BENTOML_SERVE, tmp_path, **ASKED)


@pytest.mark.parametrize(("given", "told"), [({}, "True 1"), (ASKED, "False 0")])
def test_recsys_and_the_programs_that_it_starts_report_what_was_asked_for(
    given: dict[str, str], told: str, tmp_path: Path
) -> None:
    program = (
        "import os, sys; sys.argv = ['recsys', '--version']\n"
        "from recsys.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: print(*(os.environ[name] for name in sys.stdin.read().split()))"
    )
    program = program.replace("sys.stdin.read().split()", repr(tuple(ASKED)))
    assert run(program, tmp_path, **given).splitlines()[-1] == told


def test_feast_has_no_reports_of_usage_any_more() -> None:
    folder = Path(str(feast.__file__)).parent
    assert not (folder / "usage.py").exists()
    assert not any("FEAST_USAGE" in path.read_text("utf-8", "replace") for path in folder.glob("*.py"))
