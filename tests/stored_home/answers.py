"""What a home answers, asked in the same way when it was made and whenever it is tested."""

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

Question = tuple[str, str, dict[str, Any] | list[Any] | None]  # method, path, body


def service_answers(at: datetime, questions: Sequence[Question], settings: Any = None) -> list[Any]:
    """The service's answers to `questions` when its clock says `at`: JSON documents, or texts.

    Args:
        settings: by default those that a command in the working directory has.
    """
    from starlette.testclient import TestClient

    from recsys.config import load_settings
    from serving.app import create_app
    from serving.deployment import open_deployment

    deployment, close = open_deployment(settings or load_settings())
    try:
        deployment.health.look()
        client = TestClient(create_app(replace(deployment, now=lambda: at)), base_url="http://127.0.0.1:3000")
        found = [
            client.request(method, path, json=body, headers={"X-Request-ID": f"question-{number}"})
            for number, (method, path, body) in enumerate(questions)
        ]
    finally:
        close()
    for (_, path, _), response in zip(questions, found, strict=True):
        assert response.status_code == 200, f"{path}: {response.text}"
    return [_document(response) for response in found]


def key_paths(document: Any, path: str = "") -> set[str]:
    """The dotted paths of all keys of a JSON document; `[]` stands for every element of a list.

    >>> sorted(key_paths([{"a": 1}, {"a": {"b": 2}}]))
    ['[].a', '[].a.b']
    """
    if isinstance(document, list):
        return set().union(*(key_paths(each, f"{path}[]") for each in document))
    if not isinstance(document, dict):
        return set()
    inner = {name: f"{path}.{name}" if path else name for name in document}
    return set(inner.values()).union(*(key_paths(document[name], place) for name, place in inner.items()))


def metric_names(exposition: str) -> list[str]:
    """The names that a page for Prometheus declares."""
    return sorted({line.split()[2] for line in exposition.splitlines() if line.startswith("# TYPE ")})


def file_names(home: Path) -> list[str]:
    """The files of a home by their relative names, with `ID` for whatever is made up or a date in them."""
    made_up = r"(?<=stream-)[0-9a-f]+-\d+|\d{4}-\d\d-\d\d|\d{8}-\d{6}-[0-9a-f]+|[0-9a-f]{10,}|\d{6,}"
    found = (path.relative_to(home) for path in home.rglob("*") if path.is_file())
    return sorted({re.sub(made_up, "ID", str(path)) for path in found})


def _document(response: Any) -> Any:
    return response.json() if "json" in response.headers["content-type"] else response.text


if __name__ == "__main__":  # questions on stdin, answers on stdout: for `make.py`
    os.chdir(Path(sys.argv[1]))
    asked = json.load(sys.stdin)
    answers = service_answers(datetime.fromisoformat(asked["at"]), asked["questions"])
    sys.stdout.write(json.dumps(answers))
