"""How this package is installed, and the folders that come along: beside it in a checkout, else inside it."""

from pathlib import Path

from recsys import DISTRIBUTION
from recsys.errors import ConfigError

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent


def install_command(extra: str) -> str:
    """The command that installs an extra of this package, for a message.

    >>> install_command("tune")
    "pip install 'recsys-platform[tune]'"
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def setup_command() -> str:
    """The command that installs what this package needs: the checkout's, or pip's where it is installed."""
    return "scripts/setup" if (_CHECKOUT / "scripts" / "setup").exists() else f"pip install -U {DISTRIBUTION}"


def carried_folder(name: str) -> Path:
    """A folder that goes along with the package: `feature_repo` or `migrations`.

    Raises:
        ConfigError: it is missing, so the package is not whole.
    """
    for parent in (_PACKAGE / "shipped", _CHECKOUT):
        if (parent / name).is_dir():
            return parent / name
    raise ConfigError(f"{_PACKAGE} lacks its folder {name}. Run `{setup_command()}` again.")
