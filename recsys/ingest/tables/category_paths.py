"""Category paths of items: out of columns for the levels, or of one column that has them all."""

import pyarrow as pa

from recsys.arrays import Column, combined
from recsys.catalog import category_path, joined_path
from recsys.ingest.mapping.catalog_sources import CategoryPath
from recsys.ingest.mapping.template import ColumnTemplate
from recsys.ingest.raw.cells import LIST_MARK, as_text


def category_paths(rows: pa.Table, source: CategoryPath) -> Column:
    """One path a row of `rows`, such as `Home/Kitchen/Pots`; null where no level says anything.

    The elements of a list are its levels.
    """
    if source.column is None:
        cells = [template.render(rows).to_pylist() for template in source.columns]
        known: dict[tuple[str | None, ...], str | None] = {}
        paths = []
        for levels in zip(*cells, strict=True):
            if levels not in known:
                known[levels] = joined_path(level or "" for level in levels) or None
            paths.append(known[levels])
        return pa.array(paths, pa.string())
    encoded = combined(_texts(rows, source.column)).dictionary_encode()
    separator = source.separator or "/"
    found = [_path(text, separator) or None for text in encoded.dictionary.to_pylist()]
    return pa.array(found, pa.string()).take(encoded.indices)


def _texts(rows: pa.Table, template: ColumnTemplate) -> Column:
    """The texts of `template`; a column by itself with its LIST_MARKs, which a template would make commas."""
    part = template.parts[0]
    plain = len(template.parts) == 1 and part.place is None and part.form is None
    if plain and not (template.opening or part.before or part.opening or part.after):
        return as_text(rows[part.column])
    return template.render(rows)


def _path(text: str, separator: str) -> str:
    return joined_path(text.split(LIST_MARK)) if LIST_MARK in text else category_path(text, separator)
