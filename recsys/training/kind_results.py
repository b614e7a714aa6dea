"""What is served for each kind of request beside the best baseline, on the test."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from recsys.arrays import FloatArray
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.evaluation.baselines import build_baselines
from recsys.evaluation.compare import Evaluation
from recsys.evaluation.rankings import rank_catalog
from recsys.evaluation.request_kinds import (
    K,
    KindResult,
    compare_kind,
    has_history,
    ndcg_by_model,
    similar_questions,
)
from recsys.funnel.candidates import CandidateSources
from recsys.funnel.catalog import Catalog
from recsys.funnel.similar import similar_items
from recsys.instants import SECOND
from recsys.models.bundle import Bundle
from recsys.models.orders import NO_HISTORY, SIMILAR, kind_of
from recsys.progress import Progress, silent

SIMILAR_QUESTIONS = 2000


class SimilarScorer:
    """What is served as similar to the one item that a case's user had."""

    name = "recsys"

    def __init__(self, bundle: Bundle, questions: Interactions) -> None:
        self._bundle = bundle
        self._order = bundle.order_of(SIMILAR)
        self._questions = questions
        self._catalog = Catalog(bundle)
        self._sources = CandidateSources(bundle, self._catalog)

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, -inf for what is not found."""
        out = np.full((len(cases), len(self._catalog)), -np.inf, np.float32)
        items = self._questions.item_index[self._questions.user_offsets[cases.user_index]]
        allowed = np.ones(len(self._catalog), bool)
        allowed[0] = False
        for row, (item, at) in enumerate(zip(items.tolist(), (cases.at // SECOND).tolist(), strict=True)):
            allowed[item] = False
            found, scores = similar_items(
                self._bundle, self._sources, self._catalog, item, allowed, self._order, at
            )
            out[row, found.index] = scores
            allowed[item] = True
        return out


def evaluate_similar(
    bundle: Bundle,
    known: Interactions,
    graph: sparse.csr_matrix,
    interactions: Interactions,
    cases: EvalCases,
    settings: EvaluationSettings,
    progress: Progress = silent,
) -> tuple[KindResult, ...]:
    """`similar` as served beside the baselines that need no more than an item; nothing without a question.

    Args:
        known: what the baselines learn from. graph: `item_graph` of it.
    """
    rng = np.random.default_rng(settings.seed)
    questions, asked = similar_questions(interactions, cases, SIMILAR_QUESTIONS, rng)
    if not len(asked):
        return ()
    baselines = build_baselines(
        known,
        questions,
        clock=False,
        repeats=False,
        texts=bundle.items.words_of_titles,
        text_vectors=bundle.text_vectors,
        graph=graph,
    )
    scorers = [*baselines, SimilarScorer(bundle, questions)]
    rankings = {
        scorer.name: rank_catalog(scorer, asked, questions, K, "remove", progress=progress)
        for scorer in scorers
    }
    names = [scorer.name for scorer in baselines]
    values = ndcg_by_model(rankings, asked)
    order = bundle.order_of(SIMILAR)
    result = compare_kind(SIMILAR, order, SimilarScorer.name, names, values, settings)
    return (result,) if result else ()


def compare_by_history(
    bundle: Bundle,
    interactions: Interactions,
    found: Evaluation,
    baselines: Sequence[str],
    settings: EvaluationSettings,
) -> tuple[KindResult, ...]:
    """What is served beside the best baseline, for users with a history and for those without one."""
    known = has_history(interactions, found.cases)
    results = []
    for kind, chosen in ((kind_of(found.seen == "keep"), known), (NO_HISTORY, ~known)):
        values = ndcg_by_model(found.rankings, found.cases, chosen)
        results.append(compare_kind(kind, bundle.order_of(kind), found.served, baselines, values, settings))
    return tuple(result for result in results if result)
