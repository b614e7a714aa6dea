"""The socket of the service, open before anything is started."""

import errno
import socket

from recsys.errors import ConfigError
from recsys.processes import port_owner

BACKLOG = 2048  # as uvicorn has it


def bind_listener(host: str, port: int) -> socket.socket:
    """A TCP socket that listens at `host` and `port`, which nobody else gets then.

    A connection waits in it until somebody accepts it, also while the service is started again.

    Raises:
        ConfigError: another process has the port, which is named where that can be told; or the address is
            not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        message = f"serving.host {host!r} is not a valid address: {error.strerror}. Write 127.0.0.1."
        raise ConfigError(message) from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen at {host}:{port}: {_reason(error, port)}") from error
    return listener


def _reason(error: OSError, port: int) -> str:
    change = "set RECSYS_SERVING__PORT (or --port) to another port"
    if error.errno == errno.EADDRINUSE:
        owner = port_owner(port) or "a process that this account may not see (try as root)"
        return f"{owner} has the port. Stop it, or {change}."
    if error.errno == errno.EADDRNOTAVAIL:
        return "that address is not one of this machine. Set RECSYS_SERVING__HOST (or --host) to one that is."
    if error.errno == errno.EACCES:
        return f"this account may not use that port; {change}, above 1023."
    return f"{error.strerror}. Or {change}."
