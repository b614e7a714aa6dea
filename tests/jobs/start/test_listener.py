"""The service's socket: bound before anything starts, or one line that says who has the port."""

import os
import socket

import pytest

from recsys.errors import ConfigError
from recsys.jobs.start.listener import bind_listener


def test_a_socket_keeps_its_port_and_connections_wait_in_it() -> None:
    with bind_listener("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(ConfigError, match="cannot listen"):
            bind_listener(host, port)
        with socket.create_connection((host, port), 5) as waiting:
            accepted, _ = listener.accept()
            assert accepted.getpeername() == waiting.getsockname()
            accepted.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), 5)


def test_the_owner_of_a_taken_port_is_named_by_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as error:
            bind_listener("127.0.0.1", port)
    assert f"127.0.0.1:{port}: process {os.getpid()} (" in str(error.value)
    assert "has the port. Stop it, or set RECSYS_SERVING__PORT" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_owner_that_cannot_be_told_is_said_to_be_so() -> None:
    with socket.socket() as bound:  # it does not listen, and no list of listeners has it
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigError, match="a process that this account may not see"):
            bind_listener("127.0.0.1", bound.getsockname()[1])


def test_an_address_of_another_machine_or_of_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"198\.51\.100\.7:3000: that address is not one of this machine"):
        bind_listener("198.51.100.7", 3000)
    with pytest.raises(ConfigError, match=r"'no host' is not a valid address"):
        bind_listener("no host", 3000)
