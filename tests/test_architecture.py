"""The structure is checked like behaviour: layers, sizes of rooms, circles, names, and a light `--help`."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
VAGUE = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}
LARGEST_FOLDER = 20  # modules that lie flat in one
LONGEST_FILE, LONGEST_FUNCTION = 350, 60  # lines; a function's without its docstring
Function = ast.FunctionDef | ast.AsyncFunctionDef
# Functions that return a plain dict of anything, and why.
PLAIN_DICTS = {
    "recsys.config.file_values": "settings as they nest, to be changed by who asks",
    "recsys.settings_sources.read_sources": "settings as they nest, to be changed by who asks",
    "recsys.settings_sources._read_toml": "as tomllib gives it, to be merged with the environment",
    "recsys.stores.features.build._read_state": "what is known of each view, to be changed and written",
    "recsys.stores.registry.studies._engine_options": "keyword arguments of a vendor's function",
    "recsys.stores.stream.kafka_connection.options": "keyword arguments of a vendor's function",
    "recsys.stores.catalog.history._newer": "keyword arguments of `replace`",
    "recsys.models.bundle_update._content": "keyword arguments of `replace`",
    "serving.service.recommend_batch": "BentoML describes its route by this type",
}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, Function))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path, modules: Iterable[str]) -> set[str]:
    """Modules of ours that `path` imports, anywhere in it."""
    known, found = set(modules), set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & known) or {node.module}
    return found & known


def circles(graph: Mapping[str, set[str]]) -> list[str]:
    """Nodes that lead back to themselves."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for after in graph.get(waiting.pop(), set()) - seen:
                seen.add(after)
                waiting.append(after)
        return seen

    return [node for node in graph if node in reached(node)]


def import_graph() -> dict[str, set[str]]:
    paths = {module_name(path): path for path in python_files("recsys", "serving")}
    return {name: imported_modules(path, paths) - {name} for name, path in paths.items()}


def test_imports_point_down_only() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_no_module_imports_itself_by_a_detour() -> None:
    assert circles(import_graph()) == []


def test_no_package_imports_itself_by_a_detour() -> None:
    packages = {module_name(path.parent / "__init__.py") for path in python_files("recsys", "serving")}
    graph: dict[str, set[str]] = {package: set() for package in packages}
    for module, imports in import_graph().items():
        own = module if module in packages else module.rpartition(".")[0]
        for other in imports:
            package = other if other in packages else other.rpartition(".")[0]
            # A package and its own sub-package are one.
            if not f"{own}.".startswith(f"{package}.") and not f"{package}.".startswith(f"{own}."):
                graph[own].add(package)
    assert circles(graph) == []


def test_few_files_lie_flat_in_a_folder() -> None:
    paths = [path for path in python_files("recsys", "serving", "scripts") if path.name != "__init__.py"]
    flat = Counter(str(path.parent.relative_to(ROOT)) for path in paths)
    del flat["recsys"]  # the ground
    assert {folder: count for folder, count in flat.items() if count > LARGEST_FOLDER} == {}


def test_a_command_imports_one_job_when_it_runs() -> None:
    inside = [
        (module_name(path), function.name)
        for path in python_files("recsys/cli")
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert [place for place, count in Counter(inside).items() if count > 1] == []
    assert len(inside) <= 90


def test_what_functions_return_has_a_type() -> None:
    plain = {
        f"{module_name(path)}.{function.name}"
        for path in python_files("recsys", "serving")
        for function in functions(path)
        if function.returns and re.search(r"dict\[str, (Any|object)\]", ast.unparse(function.returns))
    }
    assert plain == set(PLAIN_DICTS)
    assert len(plain) <= 10


def test_files_are_replaced_and_locked_in_one_place_each() -> None:
    def calls(name: str) -> list[str]:
        return [
            module_name(path)
            for path in python_files("recsys", "serving")
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == name
        ]

    assert {module for name in ("os.replace", "os.rename", "os.fsync") for module in calls(name)} == {
        "recsys.atomic"
    }
    assert calls("fcntl.flock") == ["recsys.stores.locks"]


def test_files_and_functions_are_short() -> None:
    long = [path for path in python_files("recsys", "serving") if _lines(path) > LONGEST_FILE]
    assert long == []
    for path in python_files("recsys", "serving"):
        for function in functions(path):
            assert _length(function) <= LONGEST_FUNCTION, f"{path}:{function.lineno} {function.name}"


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _length(function: Function) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_public_names_are_documented() -> None:
    public = [
        (path, node)
        for path in python_files("recsys", "serving")
        for node in _public(parsed(path))
        if not any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]
    without = [f"{path}:{node.lineno} {node.name}" for path, node in public if not ast.get_docstring(node)]
    assert len(without) <= 0.03 * len(public), "\n".join(without)


def _public(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    for child in node.body:
        if isinstance(child, ast.ClassDef | Function) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from _public(child)


def test_no_module_has_a_vague_name() -> None:
    assert [path for path in python_files("recsys", "serving") if path.stem in VAGUE] == []


def test_no_module_unpickles() -> None:
    for path in python_files("recsys", "serving"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & {"pickle", "joblib", "dill"}, path


def test_nobody_imports_the_feature_repository() -> None:
    for path in python_files("recsys", "serving"):
        assert "import feature_repo" not in path.read_text("utf-8"), path


def test_every_module_says_what_it_holds() -> None:
    for path in python_files("recsys", "serving", "feature_repo", "migrations"):
        assert ast.get_docstring(parsed(path)), f"{path} has no docstring"


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; import recsys.cli.app; "
        "heavy = ('torch', 'feast', 'pandas', 'pyarrow', 'transformers', 'bentoml'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
