"""What a bundle holds for search, beside the model: written with it, read where it is loaded.

lexical/                 the index of words
clicked.safetensors      queries that people clicked on: right as they are typed
suggest.safetensors      what to suggest while somebody types
lexicon.safetensors      the catalog's words and how often they come together, for spelling
match_threshold.json     from which cosine on an item is near in meaning
query_encoder.json ...   the encoder of queries, see `recsys.stores.encoders.query_encoder_files`
"""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys.analysis.analyzer import Analyzer
from recsys.config import Settings
from recsys.dataset.item_table import item_words
from recsys.errors import DataError
from recsys.jobs.search.queries import read_query_counts
from recsys.models.bundle import Bundle
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.models.encoders.text_encoder import load_encoder
from recsys.progress import Progress
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.index import open_index
from recsys.retrieval.lexical.item_text import item_texts
from recsys.retrieval.text_index import TextIndex
from recsys.search.match_threshold import MatchThreshold
from recsys.search.suggest_build import suggest_arrays, suggest_index
from recsys.search.understanding.catalog_words import catalog_lexicon
from recsys.search.understanding.clicked_queries import clicked_queries, clicked_query_arrays
from recsys.search.understanding.lexicon import lexicon_arrays
from recsys.search.understanding.understand import QueryKnowledge, understand
from recsys.stores.bundles.files import write_arrays
from recsys.stores.encoders.query_encoder_files import (
    load_query_encoder,
    query_encoder_extras,
    write_query_encoder,
)
from recsys.training.search.match_threshold import fit_match_threshold

LEXICAL, LEXICON, THRESHOLD = "lexical", "lexicon.safetensors", "match_threshold.json"
CLICKED, SUGGEST = "clicked.safetensors", "suggest.safetensors"

log = logging.getLogger(__name__)
Extras = dict[str, Callable[[Path], Any]]


@contextmanager
def search_extras(bundle: Bundle, settings: Settings, progress: Progress) -> Iterator[Extras]:
    """File or folder name -> what writes it into the bundle; inside the block.

    A catalog without texts is searched by words alone.
    """
    analyzer = Analyzer()
    with tempfile.TemporaryDirectory(prefix="recsys-search-") as name:
        draft = Path(name)
        with progress("index words", None):
            build_index(item_texts(bundle.items), draft / LEXICAL)
        with progress("count words", None):
            lexicon = catalog_lexicon(item_words(bundle.items)[1:], analyzer)
            write_arrays(lexicon_arrays(lexicon), draft / LEXICON)
        _write_queries(bundle, settings, draft, progress)
        extras: Extras = {
            LEXICAL: lambda target: _copy_folder(draft / LEXICAL, target),
            **{name: _copied(draft / name) for name in (LEXICON, CLICKED, SUGGEST)},
        }
        threshold = _write_meaning(bundle, settings, draft, analyzer, progress)
        if threshold is not None:
            document = json.dumps(threshold.to_json(), indent=2) + "\n"
            extras[THRESHOLD] = lambda target: target.write_text(document, "utf-8")
            extras |= query_encoder_extras(draft)
        yield extras


def _write_meaning(
    bundle: Bundle, settings: Settings, draft: Path, analyzer: Analyzer, progress: Progress
) -> MatchThreshold | None:
    """The encoder of queries in `draft`, and the threshold fitted with it; None where no item has a text."""
    if not bundle.text_vectors.any():
        return None
    titles = bundle.items.words_of_titles
    with progress("query encoder", None):
        encoder = load_encoder(settings.text)
        facts = write_query_encoder(encoder, draft, [title for title in titles[:2000] if title])
    if facts is None:
        log.warning("queries are encoded by torch: the 8-bit network needs `pip install onnx onnxruntime`")
        queries = QueryEncoder(TorchQueries(encoder))
    else:
        files = [path.name for path in draft.iterdir()]
        queries = load_query_encoder(draft, files, encoder.name, settings.text)
    try:
        return fit_match_threshold(
            titles,
            TextIndex(bundle.text_vectors),
            queries.encode,
            lambda text: [(word.start, word.end) for word in analyzer.query_words(text)],
            false_match_rate=settings.search.false_match_rate,
            encoder=encoder.name,
            progress=progress,
        )
    except DataError as error:
        log.warning("meaning finds nothing: %s", error)
        return None


def _write_queries(bundle: Bundle, settings: Settings, draft: Path, progress: Progress) -> None:
    """What the shop's log says of queries: which are clicked on, which to suggest."""
    items, words, analyzer = bundle.items, open_index(draft / LEXICAL), Analyzer()
    knowledge = QueryKnowledge(analyzer=analyzer)

    def has_results(query: str) -> bool:
        asked = understand(query, knowledge).lexical
        return len(words.matching(asked, asked.least)) > 0

    with progress("count queries", None):
        queries = read_query_counts(settings.paths)
        clicked = clicked_queries((row.query, row.clicked) for row in queries)
        write_arrays(clicked_query_arrays(clicked), draft / CLICKED)
        asked = [(row.query, row.searches) for row in queries if row.users > 1]
        popularity = bundle.popularity.tolist()
        titles = items.words_of_titles
        index = suggest_index(asked, items.categories, titles, popularity, has_results)
        write_arrays(suggest_arrays(index), draft / SUGGEST)


def _copied(source: Path) -> Callable[[Path], None]:
    return lambda target: _copy_file(source, target)


def _copy_folder(source: Path, target: Path) -> None:
    target.mkdir()
    for file in sorted(source.glob("[!.]*")):  # without locks of whoever read it
        _copy_file(file, target / file.name)


def _copy_file(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())
