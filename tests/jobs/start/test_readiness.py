"""What is told of the service until it is ready, and the lines of its processes."""

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from recsys.jobs.start.readiness import Announcer, Readiness, ask_service
from recsys.jobs.start.start import write_line


def announced(*answers: Readiness | None) -> list[str]:
    """What `on_ready` was called with when the service answered so, one answer after the other."""
    left, ready, done = list(answers), list[str](), threading.Event()

    def note(told: str) -> None:
        ready.append(told)
        done.set()

    announcer = Announcer(lambda: left.pop(0), note, pause_seconds=0.001)
    announcer.watch()
    assert done.wait(30)
    return ready


def test_each_thing_that_lacks_is_told_once_and_then_that_it_is_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    missing = Readiness(False, "no bundle is in production.")
    with caplog.at_level(logging.INFO, "recsys"):
        assert announced(None, missing, missing, Readiness(False, "loading."), Readiness(True)) == [""]
    assert caplog.messages == [
        "the service runs and is not ready: no bundle is in production.",
        "the service runs and is not ready: loading.",
    ]


def test_a_service_that_is_ready_with_problems_says_them() -> None:
    assert announced(Readiness(True, "old_data")) == ["old_data"]


@pytest.fixture
def answering() -> Iterator[list[tuple[int, dict[str, object]]]]:
    """One answer at a time for each GET; the first element's key `port` is where."""
    answers: list[tuple[int, dict[str, object]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.pop(0)
            content = json.dumps({**body, "seen": self.headers.get("X-API-Key")}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        answers.append((0, {"port": server.server_address[1]}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield answers
        server.shutdown()


def test_readyz_is_read_in_all_its_forms(answering: list[tuple[int, dict[str, object]]]) -> None:
    address = f"http://127.0.0.1:{answering.pop()[1]['port']}"
    error = {"code": "artifact", "message": "no bundle.", "remedy": "Run `recsys train`."}
    answering += [
        (503, {"error": error}),
        (200, {"status": "ok"}),
        (200, {"status": "ok", "problems": ["old_data", {"code": "cold"}]}),
    ]
    assert ask_service(address, "key") == Readiness(False, "no bundle. Run `recsys train`.")
    assert ask_service(address, "key") == Readiness(True, "")
    assert ask_service(address, None) == Readiness(True, "old_data, cold")


def test_a_service_that_does_not_answer_is_not_known() -> None:
    assert ask_service("http://127.0.0.1:9", None) is None


def test_lines_of_processes_bear_their_name_and_in_json_stay_objects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_line("text", "worker 1", "ready")
    write_line("json", "service", '{"message": "mine"}')
    write_line("json", "worker 2", "Traceback ...")
    text, mine, foreign = capsys.readouterr().err.splitlines()
    assert text == "worker 1: ready"
    assert mine == '{"message": "mine"}'
    assert {**json.loads(foreign), "time": ""} == {
        "time": "",
        "level": "info",
        "logger": "recsys.worker",
        "message": "Traceback ...",
    }
