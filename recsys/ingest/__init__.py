"""From the files of a shop to its canonical tables: mapping, readers, raw cells, tables, cleaning."""
