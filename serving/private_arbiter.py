"""The supervisor of `bentoml serve`, without the ports on which it takes commands from anybody.

BentoML runs the service under circus, whose arbiter listens on two TCP ports of the loopback interface and
asks for no password: every account of the machine can have it run a command as ours. BentoML has no setting
for these addresses; it passes them to a class in a module of its own, which is replaced here before an
arbiter is made. Addresses inside the process (`inproc:`) listen nowhere. `bentoml serve --reload` talks to
its arbiter from another process: there it is a Unix socket in a folder that only this account may enter.
"""

import shutil
import tempfile
from importlib import import_module
from typing import Any

from recsys.errors import ConfigError

_MODULE, _CLASSES = "bentoml._internal.utils.circus", ("Arbiter", "ThreadedArbiter")


def close_arbiter_ports() -> None:
    """Lets the arbiter that this process will make listen on no port.

    Raises:
        ConfigError: BentoML makes its arbiter in another way than this knows.
    """
    try:
        module = import_module(_MODULE)
        classes = [getattr(module, name) for name in _CLASSES]
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"this version of BentoML starts its supervisor in another way than is known here ({error}), and "
            "its ports would let any account of this machine run commands as this one. Use `recsys start`, "
            "or the version of BentoML in constraints.txt."
        ) from error
    for name, found in zip(_CLASSES, classes, strict=True):
        if not getattr(found, "has_no_port", False):
            setattr(module, name, _without_port(found))


def _without_port(arbiter: Any) -> Any:
    class PrivateArbiter(arbiter):  # type: ignore[misc]  # a class that is only known now
        """An arbiter with addresses of ours in place of its caller's."""

        has_no_port = True

        def __init__(self, watchers: Any, endpoint: str, pubsub_endpoint: str, **options: Any) -> None:
            folder = tempfile.mkdtemp(prefix="recsys-arbiter-") if options.get("plugins") else None
            start = f"ipc://{folder}/" if folder else f"inproc://recsys-{id(self)}-"
            super().__init__(watchers, f"{start}commands", f"{start}events", **options)
            if folder:
                self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)

    return PrivateArbiter
