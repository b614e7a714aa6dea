"""Every error of ours ends the command with exit code 1 and one line; wrong usage ends it with 2."""

import inspect
from collections.abc import Iterator

import pytest

from recsys import errors
from recsys.cli import app as cli
from recsys.errors import RecsysError, StoreUnavailableError


def tree(error: type[RecsysError]) -> Iterator[type[RecsysError]]:
    yield error
    for child in error.__subclasses__():
        yield from tree(child)


def instance(error: type[RecsysError]) -> RecsysError:
    if issubclass(error, StoreUnavailableError):
        return error("redis", "read", 0.2, "Run `recsys up`.")
    return error("odd value 7. Mend it.")


@pytest.mark.parametrize("error", list(tree(RecsysError)), ids=lambda error: error.__name__)
def test_an_error_of_ours_exits_1_with_its_message(
    error: type[RecsysError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raised = instance(error)

    def command() -> None:
        raise raised

    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"error: {raised}\n"


def test_every_error_class_hangs_on_the_tree() -> None:
    classes = {
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, BaseException) and value.__module__ == errors.__name__
    }
    assert classes == {error for error in tree(RecsysError) if error.__module__ == errors.__name__}
    assert errors.__doc__ is not None
    assert all(error.__name__ in errors.__doc__ for error in classes)


def test_wrong_usage_exits_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["recsys", "no-such-command"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    assert "no-such-command" in capsys.readouterr().err


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(ZeroDivisionError):
        cli.main()
