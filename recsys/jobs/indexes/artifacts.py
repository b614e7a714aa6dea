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

from recsys.analysis.analyzer import Analyzer
from recsys.config import Settings
from recsys.dataset.item_table import ItemTable
from recsys.dataset.searches import QueryCount
from recsys.errors import DataError
from recsys.models.bundle import Bundle
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder
from recsys.progress import Progress
from recsys.retrieval.lexical.build import build_index, copy_index
from recsys.retrieval.lexical.index import open_index
from recsys.retrieval.lexical.item_text import item_texts
from recsys.retrieval.text_index import TextIndex
from recsys.search.match_threshold import MatchThreshold
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
from recsys.stores.lake.dataset_files import load_info
from recsys.stores.lake.searches import read_query_counts
from recsys.training.search.match_threshold import fit_match_threshold

LEXICAL, KNOWLEDGE, SUGGEST = "lexical", "query_knowledge.safetensors", "suggest.safetensors"
_PROBES = 2000  # titles that the small encoder of queries is held against the large one by

log = logging.getLogger(__name__)
Extras = dict[str, Callable[[Path], Any]]


@contextmanager
def search_extras(bundle: Bundle, settings: Settings, progress: Progress) -> Iterator[Extras]:
    """File or folder name -> what writes it into the bundle; inside the block.

    A catalog without texts is searched by words alone.
    """
    items = bundle.items
    with tempfile.TemporaryDirectory(prefix="recsys-search-") as name:
        draft = Path(name)
        with progress("index words", None):
            build_index(item_texts(items), draft / LEXICAL)
        encoder = None
        if bundle.text_vectors.any():
            with progress("query encoder", None):
                encoder = load_encoder(settings.text)
                write_query_encoder(encoder, draft, [title for title in items.titles if title][:_PROBES])
        with progress("learn words", None):
            queries = read_query_counts(settings.paths)
            knowledge = _learn_words(items, queries, encoder, settings)
        with progress("suggestions", None):
            words = open_index(draft / LEXICAL)
            asked = [(row.query, row.searches) for row in queries if row.users > 1]
            popularity, titles = bundle.popularity.tolist(), items.words_of_titles
            suggestions = suggest_index(
                asked,
                items.categories,
                titles,
                popularity,
                lambda query: finds_words(knowledge, words, query),
            )
        threshold = None if encoder is None else _fit_threshold(bundle, encoder, settings, draft, progress)
        yield {
            LEXICAL: lambda target: copy_index(draft / LEXICAL, target),
            KNOWLEDGE: lambda target: write_arrays(knowledge_arrays(knowledge), target),
            SUGGEST: lambda target: write_arrays(suggest_arrays(suggestions), target),
            **(threshold_extra(threshold) | query_encoder_extras(draft) if threshold else {}),
        }


def _learn_words(
    items: ItemTable, queries: Sequence[QueryCount], encoder: TextEncoder | None, settings: Settings
) -> QueryKnowledge:
    catalog = CatalogTexts(
        items.words_of_titles[1:],
        items.categories[1:],
        items.brands[1:],
        map(json.loads, items.attributes[1:]),
    )
    clicks = [QueryClicks(row.query, "", row.clicked) for row in queries if row.clicked]
    language = frozenset() if encoder is None else language_words(encoder.tokenizer.get_vocab())
    currency = load_info(settings.paths).currency
    return learned_knowledge(catalog, ShopWords(clicks, language, currency))


def _fit_threshold(
    bundle: Bundle, encoder: TextEncoder, settings: Settings, draft: Path, progress: Progress
) -> MatchThreshold | None:
    """None where the catalog has too few titles to say what is near in meaning."""
    analyzer, files = Analyzer(), [path.name for path in draft.iterdir()]
    if query_encoder_extras(draft):
        queries = load_query_encoder(draft, files, encoder.name, settings.text)
    else:
        log.warning("queries are encoded by torch: the 8-bit network needs `pip install onnx onnxruntime`")
        queries = QueryEncoder(TorchQueries(encoder))
    try:
        return fit_match_threshold(
            bundle.items.words_of_titles,
            TextIndex(bundle.text_vectors),
            queries.encode,
            lambda text: [(word.start, word.end) for word in analyzer.query_words(text)],
            false_match_rate=settings.search.false_match_rate,
            encoder=encoder.name,
            progress=progress,
        )
    except DataError as error:
        log.warning("search goes by words alone: %s", error)
        return None
