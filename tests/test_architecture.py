"""The structure is checked like behaviour: layers, names, and nothing heavy behind `--help`."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
VAGUE = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_imports_point_down_only() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_no_module_has_a_vague_name() -> None:
    assert [path for path in python_files("recsys", "serving") if path.stem in VAGUE] == []


def test_no_module_unpickles() -> None:
    for path in python_files("recsys", "serving"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & {"pickle", "joblib", "dill"}, path


def test_nobody_imports_the_feature_repository() -> None:
    for path in python_files("recsys", "serving"):
        assert "import feature_repo" not in path.read_text("utf-8"), path


def test_every_module_says_what_it_holds() -> None:
    for path in python_files("recsys", "serving", "feature_repo", "migrations"):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{path} has no docstring"


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; import recsys.cli.app; "
        "heavy = ('torch', 'feast', 'pandas', 'pyarrow', 'transformers', 'bentoml'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
