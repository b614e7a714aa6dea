"""Settings of a source that no file of it uses are errors: what is ignored in silence misleads."""

from collections.abc import Collection, Sequence

from recsys.errors import ConfigError, did_you_mean
from recsys.ingest.mapping.sources import Source

_FORMATS_OF = {  # what is not here is used by every format
    "delimiter": {"csv"},
    "header": {"csv"},
    "names": {"csv"},
    "quote": {"csv"},
    "cell_lines": {"csv"},
    "encoding": {"csv", "jsonl"},
    "records": {"jsonl"},
}
_SHOWN = {"csv": "CSV", "jsonl": "JSON Lines", "parquet": "Parquet"}


def reject_unused_settings(source: Source, formats: Collection[str], columns: Sequence[str]) -> None:
    """Makes sure that each setting of `source` is used by a file of it, which have these `formats`.

    Raises:
        ConfigError: one is not, or `lists` names a column that is not among `columns`.
    """
    files = ", ".join(source.files)
    for name, using in _FORMATS_OF.items():
        default = type(source).model_fields[name].default
        given = name in source.model_fields_set and getattr(source, name) != default
        if given and formats and not using & set(formats):
            shown = " and ".join(sorted(_SHOWN[each] for each in formats))
            raise ConfigError(
                f"{name!r} means nothing for {files}, which is {shown}; it is for "
                f"{' and '.join(sorted(_SHOWN[each] for each in using))}. Delete it from the mapping."
            )
    for name in source.lists:
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise ConfigError(
                f"`lists` of {files} names {name!r}, a column that the mapping does not read.{hint} "
                "Use the column in the mapping, or delete it from `lists`."
            )
