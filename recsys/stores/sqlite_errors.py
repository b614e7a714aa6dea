"""What helps against an error of SQLite; its message is all that tells its errors apart."""

_RIGHTS = "Make the folder and the file writable for this account; SQLite keeps a log beside the file."
_DAMAGED = ("malformed", "not a database", "file is encrypted")
_REMEDIES = {
    "disk is full": "Free some disk space and try again.",
    "locked": "Another process holds it; try again.",
    "readonly": _RIGHTS,
    "unable to open": _RIGHTS,
    "Read-only file system": _RIGHTS,
    "Permission denied": _RIGHTS,
    "disk I/O error": "Look at the disk: it failed to read or write, or is full.",
}


def sqlite_remedy(message: str, if_damaged: str) -> str:
    """What to do about an error with this message.

    Args:
        if_damaged: what to do about a file that is no database, or no whole one.

    >>> sqlite_remedy("database is locked", "Delete it.")
    'Another process holds it; try again.'
    >>> sqlite_remedy("file is not a database", "Delete it.")
    'The file is damaged. Delete it.'
    """
    if any(text in message for text in _DAMAGED):
        return f"The file is damaged. {if_damaged}"
    found = (remedy for text, remedy in _REMEDIES.items() if text in message)
    return next(found, "Look at the disk, and at the rights of the file.")
