"""What `feast apply` does, for the feature repository of a root and any home."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

from recsys.errors import ConfigError

log = logging.getLogger(__name__)


def apply_repository(repo: Path, home: Path) -> None:
    """Applies the declarations in `repo` to `home`, in this process, where Feast is imported already.

    Where that fails Feast's own command does it again: it checks more, and what it says is what counts.

    Raises:
        ConfigError: Feast refused the repository; the message ends with its own.
    """
    repo, home = repo.resolve(), home.resolve()  # Feast changes the folder of the process
    try:
        with _command_process(repo, home):
            apply_total(load_repo_config(repo, repo / "feature_store.yaml"), repo, False)
    except (Exception, SystemExit):  # of Feast, or of any code that a user declares features with
        log.debug("Feast's own command applies %s", repo, exc_info=True)
        _run_command(repo, home)


def _run_command(repo: Path, home: Path) -> None:
    command = [sys.executable, "-c", "from feast.cli.cli import cli; cli()", "-c", str(repo), "apply"]
    environment = {**os.environ, "RECSYS_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise ConfigError(f"`feast apply` failed in {repo}: {last}")


@contextlib.contextmanager
def _command_process(repo: Path, home: Path) -> Iterator[None]:
    """What Feast's command has in its own process: home, folder, path of imports; all is put back."""
    environment, folder, path = dict(os.environ), Path.cwd(), list(sys.path)
    writes_nothing = sys.dont_write_bytecode  # Feast sets it
    _forget_modules(repo)
    os.environ["RECSYS_HOME"] = str(home)
    sys.path.insert(0, str(repo))
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        sys.dont_write_bytecode = writes_nothing
        _forget_modules(repo)


def _forget_modules(repo: Path) -> None:
    """Forgets the modules of `repo`: Feast imports them by names that other repositories have too."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and file.startswith(f"{repo}{os.sep}"):
            del sys.modules[name]
