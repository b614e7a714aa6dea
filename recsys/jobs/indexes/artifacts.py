"""What a bundle holds for search, beside the model: written with it, read where it is loaded.

The index of words lies in the folder `lexical`; what is known of words, of queries and of what to suggest in
two files of arrays; what matches by meaning and the encoder of queries in files of their own. See
`recsys.stores.bundles.search_files` and `recsys.stores.encoders.query_encoder_files`.
"""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys.config import Settings
from recsys.dataset.clicked_items import ClickedItem
from recsys.dataset.item_table import ItemTable
from recsys.jobs.indexes.thresholds import JudgedMatches, fit_threshold
from recsys.models.bundle import Bundle
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.models.encoders.text_encoder import TextEncoder
from recsys.progress import Progress
from recsys.retrieval.lexical.build import build_index, copy_index
from recsys.retrieval.lexical.index import open_index
from recsys.retrieval.lexical.item_text import item_texts
from recsys.search.suggestions.answer import finds_words
from recsys.search.suggestions.build import suggest_arrays, suggest_index
from recsys.search.understanding.knowledge import (
    CatalogTexts,
    QueryClicks,
    ShopWords,
    knowledge_arrays,
    language_words,
    learned_knowledge,
)
from recsys.search.understanding.understand import QueryKnowledge
from recsys.stores.bundles.files import write_arrays
from recsys.stores.bundles.search_files import threshold_extra
from recsys.stores.encoders.query_encoder_files import (
    load_query_encoder,
    query_encoder_extras,
    write_query_encoder,
)
from recsys.stores.encoders.shop_encoder import open_shop_encoder
from recsys.stores.lake.dataset_files import load_info
from recsys.stores.lake.searches import read_query_log
from recsys.stores.served.answer_files import read_corrected_searches

LEXICAL, KNOWLEDGE, SUGGEST = "lexical", "query_knowledge.safetensors", "suggest.safetensors"
_PROBES = 2000  # titles that the small encoder of queries is held against the large one by

log = logging.getLogger(__name__)
Extras = dict[str, Callable[[Path], Any]]


@contextmanager
def search_extras(
    bundle: Bundle, settings: Settings, progress: Progress, judged: JudgedMatches | None = None
) -> Iterator[Extras]:
    """File or folder name -> what writes it into the bundle; inside the block.

    A catalog without texts is searched by words alone.

    Args:
        judged: pairs that the threshold is fitted by where it is not to be the shop's own texts.
    """
    items = bundle.items
    with tempfile.TemporaryDirectory(prefix="recsys-search-") as name:
        draft = Path(name)
        with progress("index words", None):
            build_index(item_texts(items), draft / LEXICAL)
        encoder = None
        if bundle.text_vectors.any():
            with progress("query encoder", None):
                encoder = open_shop_encoder(settings)
                write_query_encoder(encoder, draft, [title for title in items.titles if title][:_PROBES])
        with progress("learn words", None):
            asked = read_query_log(settings.paths, read_corrected_searches(settings.paths.served))
            knowledge = _learn_words(items, asked.clicked, encoder, settings)
        with progress("suggestions", None):
            words = open_index(draft / LEXICAL)
            popularity, titles = bundle.popularity.tolist(), items.words_of_titles
            suggestions = suggest_index(
                [(row.query, row.searches) for row in asked.counts if row.users > 1],
                items.categories,
                titles,
                popularity,
                lambda query: finds_words(knowledge, words, query),
            )
        threshold = None
        if encoder is not None:
            of_queries = _query_encoder(encoder, draft, settings)
            threshold = fit_threshold(
                bundle, of_queries, encoder.name, asked.clicked, judged, settings, progress
            )
        yield {
            LEXICAL: lambda target: copy_index(draft / LEXICAL, target),
            KNOWLEDGE: lambda target: write_arrays(knowledge_arrays(knowledge), target),
            SUGGEST: lambda target: write_arrays(suggest_arrays(suggestions), target),
            **(threshold_extra(threshold) | query_encoder_extras(draft) if threshold else {}),
        }


def _learn_words(
    items: ItemTable, clicked: Sequence[ClickedItem], encoder: TextEncoder | None, settings: Settings
) -> QueryKnowledge:
    catalog = CatalogTexts(
        items.words_of_titles[1:],
        items.categories[1:],
        items.brands[1:],
        map(json.loads, items.attributes[1:]),
    )
    category = dict(zip(items.vocabulary.ids, items.categories, strict=True))
    clicks = [QueryClicks(row.query, category.get(row.item_id, ""), row.searches) for row in clicked]
    language = frozenset() if encoder is None else language_words(encoder.tokenizer.get_vocab())
    currency = load_info(settings.paths).currency
    return learned_knowledge(catalog, ShopWords(clicks, language, currency))


def _query_encoder(encoder: TextEncoder, draft: Path, settings: Settings) -> QueryEncoder:
    """What encodes queries as the bundle in `draft` will."""
    if query_encoder_extras(draft):
        return load_query_encoder(draft, [path.name for path in draft.iterdir()], encoder.name, settings.text)
    log.warning("queries are encoded by torch: the 8-bit network needs `pip install onnx onnxruntime`")
    return QueryEncoder(TorchQueries(encoder))
