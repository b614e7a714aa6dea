"""What helps against an error of SQLite; its message is all that tells its errors apart."""

_RIGHTS = "Make the folder and the file writable for this account; SQLite keeps a log beside the file."
_REMEDIES = (
    ("disk is full", "Free some disk space and try again."),
    ("locked", "Another process holds it; try again."),
    ("readonly", _RIGHTS),
    ("unable to open", _RIGHTS),
    ("Read-only file system", _RIGHTS),
    ("Permission denied", _RIGHTS),
    ("disk I/O error", "Look at the disk: it failed to read or write, or is full."),
)
_DAMAGED = ("malformed", "not a database", "file is encrypted")


def is_damaged(message: str) -> bool:
    """Whether the file is no database, or no whole one.

    >>> is_damaged("database disk image is malformed"), is_damaged("database is locked")
    (True, False)
    """
    return any(text in message for text in _DAMAGED)


def sqlite_remedy(message: str) -> str:
    """What to do about an error that is no damage; empty where the message says nothing that is known.

    >>> sqlite_remedy("database is locked")
    'Another process holds it; try again.'
    """
    return next((remedy for text, remedy in _REMEDIES if text in message), "")
