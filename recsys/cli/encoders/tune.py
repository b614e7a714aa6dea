"""`recsys encoder tune`: a text encoder that learned from judged pairs."""

from recsys.cli.encoders.options import From, Name
from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_facts
from recsys.cli.search.judged import Columns, Grades, Items, Judged, Queries, Threshold, search_test
from recsys.cli.search.train import Part
from recsys.config import load_settings


def tune(
    judgments: Judged = None,
    queries: Queries = None,
    items: Items = None,
    name: Name = "tuned",
    base: From = None,
    split: Part = "train",
    threshold: Threshold = None,
    columns: Columns = None,
    grades: Grades = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a text encoder on judged pairs: a query and what is relevant to it get near vectors.

    Nothing uses the result by itself. Measure it on queries that it did not learn from, then set
    text.encoder to its folder and train.

    \b
    Example:
      recsys encoder tune --judgments judged.csv --items items.csv --name searched
      recsys search evaluate --judgments judged.csv --items items.csv --split test --encoder searched
    """
    test = search_test(
        judgments,
        queries,
        None,
        items,
        split=split,
        threshold=threshold,
        columns=columns,
        grades=grades,
        encoder=base,
    )
    from recsys.jobs.search.tune_encoder import tune_encoder_on_judgments

    done = tune_encoder_on_judgments(load_settings(), name, test, bars)
    print_facts(done.to_json(), as_json=as_json)
    note(f"to use it: text.encoder = {str(done.folder)!r}, for example RECSYS_TEXT__ENCODER={done.folder}")
