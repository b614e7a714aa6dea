"""`recsys encoder tune`: a text encoder fine-tuned on judged pairs of queries and items."""

import logging

from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.evaluation.search.judgments import Judgments
from recsys.jobs.encoders.loading import check_name_is_free, licence_of, load_named_encoder
from recsys.jobs.encoders.train import TrainedEncoder
from recsys.jobs.search.evaluation.evaluate import SearchTest, check_test, open_test
from recsys.progress import Progress, silent
from recsys.stores.encoders.encoder_files import save_encoder
from recsys.training.encoders.fine_tuning import check_trainable
from recsys.training.encoders.judged_pairs import JudgedPair, tune_on_judgments

log = logging.getLogger(__name__)


def tune_encoder_on_judgments(
    settings: Settings, name: str, test: SearchTest, progress: Progress = silent
) -> TrainedEncoder:
    """Fine-tunes `test.encoder` on the judged pairs of `test.part`, and saves it as `name`.

    Raises:
        ConfigError: the name is taken, there are no judgments, or the encoder cannot be trained.
        DataError: a file is damaged, or there are too few pairs.
    """
    check_name_is_free(settings, name)
    check_test(test)
    if test.judgments is None:
        raise ConfigError("pass --judgments FILE to learn from.")
    items, judged, _ = open_test(settings, test)
    judgments = judged.part(test.part)
    with progress("load encoder", None):
        encoder = load_named_encoder(settings, test.encoder)
    check_trainable(encoder, None)
    relevant = judged.middle_grade if test.threshold is None else test.threshold
    pairs = _pairs(judgments, items.texts)
    log.info("%d judged pairs of %d queries, relevant from %g on", len(pairs), len(judgments), relevant)
    loss = tune_on_judgments(encoder, pairs, settings.encoder, relevant, progress)
    facts = {
        "from": test.encoder or settings.text.encoder,
        "licence": licence_of(settings, test.encoder),
        "prefix": settings.text.prefix,
        "judgments": test.judgments.name,
        "part": test.part,
        "queries": len(judgments),
        "pairs": len(pairs),
        "relevant from": relevant,
        "loss": loss,
        "settings": settings.encoder.model_dump(),
    }
    folder = save_encoder(settings.paths, name, encoder, facts)
    return TrainedEncoder(folder, facts, {}, {})


def _pairs(judgments: Judgments, texts: tuple[str, ...]) -> list[JudgedPair]:
    queries = (judgments.queries[row] for row in judgments.query_of_pair.tolist())
    judged = zip(queries, judgments.items.tolist(), judgments.grades.tolist(), strict=True)
    return [JudgedPair(query, texts[item], grade) for query, item, grade in judged]
