"""README's way from a shop's files to a served recommendation, pasted as it stands there."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 300.0


def commands_of(heading: str) -> list[str]:
    """The lines of the first block of commands below a heading of the README."""
    section = (ROOT / "README.md").read_text("utf-8").partition(f"\n## {heading}\n")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


@pytest.mark.slow
def test_your_own_shop_from_an_empty_folder_to_a_served_recommendation(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
    environment |= {"PYTHONPATH": str(ROOT), "RECSYS_SERVING__PORT": str(port)}
    *before, start = commands_of("Your own shop")
    subprocess.run(["bash", "-ec", "\n".join(before)], cwd=tmp_path, env=environment, check=True)
    assert start == "../.venv/bin/recsys start"
    running = subprocess.Popen(start.split(), cwd=tmp_path / "shop", env=environment)
    try:
        slate = served(f"http://127.0.0.1:{port}", running)
        assert len(slate["items"]) == 5
        assert not slate["cold_start"]
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE_SECONDS) == 0


def served(address: str, running: "subprocess.Popen[bytes]") -> dict[str, list[object]]:
    """The slate of a user of the example files, as soon as there is one."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and running.poll() is None:
        try:
            answer = httpx.post(f"{address}/v1/recommend", json={"user_id": "user-37", "k": 5}, timeout=10)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            found: dict[str, list[object]] = answer.json()
            return found
        time.sleep(0.2)
    raise AssertionError("no slate was served")
