"""Every error this package raises on purpose.

    RecsysError
    |- ConfigError             a setting or a mapping file is wrong
    |- DataError               a user's data is wrong
    |  |- InvalidEventError    one event cannot be understood
    |  |- SchemaMismatchError  a file or table has other columns or types than expected
    |  `- FutureLeakError      a training row would see what happened after its label
    |- ArtifactError           a bundle or checkpoint is wrong
    |  |- ArtifactNotFoundError
    |  `- ArtifactMismatchError   made for another feature schema, catalog or version
    |- RequestError            the caller of the service asked for something impossible
    |  |- UnknownItemError
    |  |- UnknownCampaignError an account, campaign or line of that name is not there, or not the caller's
    |  |- StaleVersionError    what is changed was changed by somebody else meanwhile
    |  |- UnknownEntryError    no rule, set of synonyms or experiment of that name
    |  |- MalformedBodyError   the body is not what its type says
    |  |- InvalidCursorError   of a page: it was changed, or belongs to another request
    |  |- CursorExpiredError   of a page: its order is no longer kept, or another bundle serves
    |  |- InvalidTokenError    of an ad or a page: it was changed, or another shop gave it
    |  `- TokenExpiredError    of an ad or a page: it is too old
    |- TrainingStoppedError    told to stop, after writing a checkpoint
    |- LeaseLostError          another worker charges an account now, or none may
    |- BacklogError            more events wait than the service may keep waiting
    |- OverloadedError         more is asked of the service than it can answer in time
    `- StoreUnavailableError   a store did not answer (store, operation, seconds)

A message says what was wrong, with the value, and then the remedy.
"""

import difflib
import errno
from collections.abc import Iterable

_LONGEST_NAME = 100  # characters of a name that are compared; a stranger's may be as long as a body


class RecsysError(Exception):
    """Root of every error raised on purpose; its message is fit to show to a user."""


class ConfigError(RecsysError):
    """A setting or a mapping file is wrong."""


class DataError(RecsysError):
    """A user's data is wrong."""


class InvalidEventError(DataError):
    """One event cannot be understood."""


class SchemaMismatchError(DataError):
    """A file or table has other columns or types than expected."""


class FutureLeakError(DataError):
    """A training row would see what happened at or after its label."""


class ArtifactError(RecsysError):
    """A bundle or checkpoint is wrong."""


class ArtifactNotFoundError(ArtifactError):
    """No bundle, run or checkpoint of that name."""


class ArtifactMismatchError(ArtifactError):
    """A bundle made for another feature schema, catalog or version."""


class RequestError(RecsysError):
    """The caller of the service asked for something impossible."""


class UnknownItemError(RequestError):
    """The request names an item that the catalog does not have."""


class UnknownEntryError(RequestError):
    """There is no rule, set of synonyms or experiment of that name."""


class UnknownCampaignError(RequestError):
    """There is no account, campaign or line of that name among those that the caller may see."""


class StaleVersionError(RequestError):
    """What is to be changed was changed by somebody else since it was read."""


class MalformedBodyError(RequestError):
    """The body of a request is not JSON."""


class InvalidCursorError(RequestError):
    """The cursor of a page was changed, or was given for another request."""


class CursorExpiredError(RequestError):
    """The order that a cursor goes on in is no longer kept, or was made by another bundle."""


class InvalidTokenError(RequestError):
    """The token of a sponsored item or of a page was changed, or is none that this shop gave."""


class TokenExpiredError(RequestError):
    """The token of a sponsored item or of a page is older than it counts."""


class TrainingStoppedError(RecsysError):
    """Training was told to stop; what it learned is in its checkpoint."""


class LeaseLostError(RecsysError):
    """An account is charged by another worker now, or the lease to charge it has run out."""


class BacklogError(RecsysError):
    """More events wait for the workers than the service may keep waiting; they are sent again later."""


class OverloadedError(RecsysError):
    """More is asked of the service than it can answer in time; the request is made again later."""


class StoreUnavailableError(RecsysError):
    """A store did not answer.

    Attributes:
        store: which one, for example `redis`.
        operation: what was asked of it.
        seconds: how long we waited; 0 = it said at once that it cannot.
    """

    def __init__(self, store: str, operation: str, seconds: float, remedy: str = "") -> None:
        self.store = store
        self.operation = operation
        self.seconds = seconds
        hint = f" {remedy}" if remedy else ""
        waited = (
            f"did not answer to {operation!r} within {seconds:.1f} s" if seconds else f"failed to {operation}"
        )
        super().__init__(f"{store} {waited}.{hint}")


def did_you_mean(name: str, names: Iterable[str], before: str = "") -> str:
    """A question for a message, with a blank before it: the nearest of `names`; empty where none is near.

    Args:
        before: what stands before each of the names where they are written in full.

    >>> did_you_mean("prise", ["price", "title"]), did_you_mean("prise", ["title"])
    (" Did you mean 'price'?", '')
    """
    close = difflib.get_close_matches(name[:_LONGEST_NAME], list(names), 1)
    return f" Did you mean {before + close[0]!r}?" if close else ""


_STORAGE_REMEDIES = {
    errno.ENOSPC: "Free some disk space.",
    errno.EDQUOT: "Free some disk space, or ask for a larger quota.",
    errno.EROFS: "Set RECSYS_HOME to a folder that can be written.",
    errno.EACCES: "Set RECSYS_HOME to a folder of this account, or mend the rights.",
    errno.EPERM: "Set RECSYS_HOME to a folder of this account, or mend the rights.",
}


def storage_problem(error: OSError) -> str | None:
    """One line for a disk that is full or read-only, or rights that lack; None for any other error."""
    remedy = _STORAGE_REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}. {remedy}"
