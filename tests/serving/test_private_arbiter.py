"""BentoML's supervisor gets addresses that nobody else reaches, or the service does not start."""

import sys
from types import ModuleType

import pytest
from bentoml._internal.utils import circus

from recsys.errors import ConfigError
from serving.private_arbiter import close_arbiter_ports


@pytest.fixture(autouse=True)
def arbiters_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Arbiter", "ThreadedArbiter"):
        monkeypatch.setattr(circus, name, getattr(circus, name))


def test_an_arbiter_that_is_made_afterwards_listens_inside_its_process_only() -> None:
    close_arbiter_ports()
    once = circus.Arbiter
    close_arbiter_ports()
    assert circus.Arbiter is once
    arbiter = circus.create_standalone_arbiter([])
    assert arbiter.endpoint.startswith("inproc://")
    assert arbiter.pubsub_endpoint.startswith("inproc://")
    assert arbiter.endpoint != arbiter.pubsub_endpoint


def test_a_bentoml_that_starts_its_supervisor_in_another_way_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "bentoml._internal.utils.circus", ModuleType("another"))
    with pytest.raises(ConfigError, match=r"another way.*Use `recsys start`"):
        close_arbiter_ports()
