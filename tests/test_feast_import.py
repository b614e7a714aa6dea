"""What programs of ours leave out when they import Feast, and what stays as it was."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHECKED = "print('check_argument_types_internal' in feast.Entity.__init__.__code__.co_names)"


def told_by(program: str) -> list[str]:
    """The lines that a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_feast_is_imported_without_torch_and_without_checks_of_types() -> None:
    program = f"""
import sys
from recsys.feast_import import reduce_feast_import
reduce_feast_import()
import feast
{CHECKED}
print("torch" in sys.modules)
"""
    assert told_by(program) == ["False", "False"]


def test_what_others_import_after_feast_is_whole() -> None:
    program = """
from recsys.feast_import import reduce_feast_import
reduce_feast_import()
import feast, torch, typeguard
print(typeguard.typechecked.__name__)
print(torch.ones(2).sum().item())
from importlib import resources
print(resources.files(feast).joinpath("__init__.py").is_file())
"""
    assert told_by(program) == ["typechecked", "2.0", "True"]


def test_a_torch_that_was_imported_before_is_known_to_feast() -> None:
    program = """
import torch
from recsys.feast_import import reduce_feast_import
reduce_feast_import()
import feast.torch_wrapper
print(feast.torch_wrapper.get_torch() is torch)
"""
    assert told_by(program) == ["True"]


def test_feast_by_itself_keeps_its_checks() -> None:
    assert told_by(f"import feast, recsys.cli.app\n{CHECKED}") == ["True"]


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import recsys.jobs.data.refresh", ("torch", "scipy", "matplotlib", "transformers")),
        ("import serving.worker", ("ibis", "duckdb", "scipy.optimize", "scipy.stats", "matplotlib")),
        ("import recsys.jobs.stream.run", ("torch", "scipy", "ibis", "duckdb", "matplotlib")),
        ("import recsys.jobs.training.evaluate", ("transformers", "scipy.stats", "matplotlib")),
        ("import serving.main", ("torch", "feast", "pandas")),
        ("import recsys.jobs.start.start", ("torch", "feast", "pandas", "sqlalchemy")),
    ],
)
def test_a_program_imports_nothing_heavy_that_it_does_not_need(program: str, absent: tuple[str, ...]) -> None:
    program = (
        "import sys; from recsys.feast_import import reduce_feast_import; reduce_feast_import(); "
        f"{program}; print([name for name in {absent} if name in sys.modules])"
    )
    assert told_by(program) == ["[]"]
