"""Options that name a judged set, shared by the commands that measure on one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recsys.jobs.indexes.thresholds import JudgedFile
    from recsys.jobs.search.evaluation.evaluate import SearchTest

Judged = Annotated[
    Path | None,
    typer.Option(
        "--judgments",
        help="Grades of pairs: CSV, TSV, Parquet or JSON Lines (.gz too), TREC qrels, or events of UBI.",
    ),
]
Queries = Annotated[
    Path | None,
    typer.Option("--queries", help="The texts of query ids: a table, TREC topics, or queries of UBI."),
]
Items = Annotated[
    Path | None,
    typer.Option("--items", help="Items to search: id, title and any further columns. Default: the catalog."),
]
FromLog = Annotated[
    int | None,
    typer.Option("--from-log", min=1, help="N queries of the shop's log, by demand, judged by its clicks."),
]
Split = Annotated[str, typer.Option("--split", help="test (one query of five, by its text), train or all.")]
Threshold = Annotated[
    float | None,
    typer.Option(help="Relevant from this grade on. Default: half way between lowest and highest."),
]
Worthless = Annotated[float, typer.Option(help="The grade that is worth nothing to NDCG.")]
Places = Annotated[str, typer.Option("--k", help="Cutoffs, with commas.")]
Columns = Annotated[
    str | None,
    typer.Option("--columns", help="Which column has what, for example query=Search,item_id=SKU,grade=Rel."),
]
Grades = Annotated[
    str | None, typer.Option(help="What words are worth, for example Exact=2,Partial=1,Irrelevant=0.")
]
LeastShown = Annotated[int, typer.Option(min=1, help="Clicks judge a pair that was shown so often.")]
Encoder = Annotated[
    str | None,
    typer.Option(help="Text encoder: of this home, a path or a name. Default: that of the settings."),
]
Order = Annotated[
    str | None,
    typer.Option(
        "--order",
        help="The learned row: learn (from the training queries, as --split test does by itself), none, or "
        "a folder of recsys search train --out.",
    ),
]


def search_test(
    judgments: Path | None,
    queries: Path | None,
    from_log: int | None,
    items: Path | None,
    *,
    split: str = "all",
    threshold: float | None = None,
    worthless: float = 0.0,
    k: str = "10,100",
    columns: str | None = None,
    grades: str | None = None,
    least_shown: int = 50,
    encoder: str | None = None,
    bundle: str | None = None,
    others: str | None = None,
    order: str | None = None,
    command: str = "",
) -> "SearchTest":
    """What the options say to measure on.

    Raises:
        BadParameter: `--k` is not numbers with commas.
        DataError: another option is not NAME=VALUE.
    """
    from recsys.jobs.search.evaluation.evaluate import SearchTest, parse_others, reading_options

    try:
        cutoffs = tuple(sorted({int(part) for part in k.split(",")}))
    except ValueError:
        raise typer.BadParameter(f"{k!r} is not numbers with commas, as 10,100", param_hint="--k") from None
    return SearchTest(
        judgments=judgments,
        queries=queries,
        from_log=from_log,
        items=items,
        reading=reading_options(columns, grades, least_shown),
        part=split,
        threshold=threshold,
        worthless=worthless,
        cutoffs=cutoffs,
        encoder=encoder,
        bundle=bundle,
        others=parse_others(others),
        order=order,
        command=command,
    )


def judged_file(
    judgments: Path | None,
    queries: Path | None,
    columns: str | None,
    grades: str | None,
    relevant_from: float | None,
) -> "JudgedFile | None":
    """What the options of `--fit-threshold` say; None where it was not given.

    Raises:
        BadParameter: options of it were given without it.
        DataError: an option is not NAME=VALUE.
    """
    if judgments is None:
        if any(option is not None for option in (queries, columns, grades, relevant_from)):
            raise typer.BadParameter(
                "--queries, --columns, --grades and --relevant-from say how to read it. Name its file.",
                param_hint="--fit-threshold",
            )
        return None
    from recsys.jobs.indexes.thresholds import JudgedFile

    return JudgedFile.of(judgments, queries, columns, grades, relevant_from)
