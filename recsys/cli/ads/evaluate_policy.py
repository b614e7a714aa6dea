"""`recsys ads evaluate-policy`: what another policy would have earned, from a randomised experiment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_json, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.ads.policies.policy_evaluation import PolicyReport

ExperimentOption = Annotated[
    Path | None,
    typer.Option(help="A row for each arm that was shown: CSV, TSV, Parquet or JSON Lines, packed or not."),
]
FromLog = Annotated[
    bool,
    typer.Option(
        "--from-log",
        help="Ask the home's log of served ads in place of a file: a row for each slot that was seen.",
    ),
]
Since = Annotated[
    str | None, typer.Option("--from", metavar="INSTANT", help="With --from-log. Default: 30 days ago.")
]
Until = Annotated[
    str | None, typer.Option("--to", metavar="INSTANT", help="With --from-log: up to. Default: now.")
]
Arm = Annotated[
    str | None,
    typer.Option(help="The column that says which arm was shown. With --from-log: item, else campaign, ..."),
]
Outcome = Annotated[
    str | None,
    typer.Option(
        help="The column with what came of it, a number. With --from-log: clicked, else purchased or "
        "value_micros."
    ),
]
Propensity = Annotated[
    str | None,
    typer.Option(
        help="The column with the probability with which that arm was shown, as it was logged. With "
        "--from-log: propensity, that of the item."
    ),
]
Unit = Annotated[
    str | None,
    typer.Option(help="The column whose rows belong together, such as the user. Default: each row alone."),
]
Features = Annotated[
    str | None,
    typer.Option(help="Columns that the outcome may depend on, with commas: numbers or texts."),
]
Policy = Annotated[
    Path | None,
    typer.Option(
        help="A table with a column of arms, `probability` (default 1), and `row` (from 1, the header not "
        "counted) or columns of the context."
    ),
]
Always = Annotated[list[str] | None, typer.Option(help="The policy of one arm; may be given several times.")]
Against = Annotated[
    str | None,
    typer.Option(
        help="What all are compared with: an arm, or 'as logged'. Default: as logged where policies are "
        "named, else the arm shown most."
    ),
]
Clip = Annotated[
    float | None, typer.Option(help="Weights above it count as it: biased, less noise. Default: no clipping.")
]
Folds = Annotated[int, typer.Option(help="Parts of the units by which the outcome model is cross-fitted.")]
At = Annotated[str | None, typer.Option(help="The column of instants, for --gap.")]
Gaps = Annotated[
    list[str] | None,
    typer.Option("--gap", help="START/END of a span in which the log lost rows; may be given several times."),
]
Seed = Annotated[int, typer.Option(help="Of folds and resamples.")]


def evaluate_policy(
    experiment: ExperimentOption = None,
    from_log: FromLog = False,
    since: Since = None,
    until: Until = None,
    arm: Arm = None,
    outcome: Outcome = None,
    propensity: Propensity = None,
    unit: Unit = None,
    features: Features = None,
    policy: Policy = None,
    always: Always = None,
    against: Against = None,
    clip: Clip = None,
    folds: Folds = 5,
    at: At = None,
    gap: Gaps = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """What other policies would have earned: IPS, SNIPS, direct method, doubly robust, with intervals.

    Any randomised experiment will do whose probabilities of showing were logged. Without --policy and
    --always each arm is a policy that always shows it, and all are compared.

    \b
    Example:
      recsys ads evaluate-policy --experiment test.csv --arm banner --outcome clicked --propensity p \
--unit user
      recsys ads evaluate-policy --experiment log.parquet --arm ad --outcome revenue --propensity p \
--features age,device --policy new.csv
      recsys ads evaluate-policy --from-log --from 2026-10-01 --features surface,slot --policy new.csv
    """
    from recsys.jobs.ads.policies.policy_evaluation import PolicyQuestion, ad_log_span, evaluate_experiment

    if from_log == (experiment is not None):
        raise typer.BadParameter("name one of --experiment and --from-log", param_hint="--experiment")
    if not from_log:
        for option, given in (("--arm", arm), ("--outcome", outcome), ("--propensity", propensity)):
            if given is None:
                raise typer.BadParameter("--experiment needs it: a column of the file", param_hint=option)
    question = PolicyQuestion(
        experiment=experiment or ad_log_span(since, until),
        arm=arm or "item",
        outcome=outcome or "clicked",
        propensity=propensity or "propensity",
        unit=unit or ("unit" if from_log else None),
        features=tuple(split_names(features)),
        policy=policy,
        always=tuple(always or ()),
        against=against,
        clip=clip,
        folds=folds,
        at=at or ("at" if from_log else None),
        gaps=tuple(gap or ()),
        seed=seed,
    )
    found = evaluate_experiment(question, load_settings() if from_log else None)
    print_json(found.to_json()) if as_json else _print_tables(found)


def split_names(text: str | None) -> list[str]:
    """The names in a text with commas between them.

    >>> split_names("age, device"), split_names(None)
    (['age', 'device'], [])
    """
    return [name for part in (text or "").split(",") if (name := part.strip())]


def _print_tables(found: "PolicyReport") -> None:
    note(found.headline)
    print_rows(found.rows, as_json=False, title="mean outcome of a row under each policy")
    print_rows(found.difference_rows, as_json=False, title="differences, on the same rows")
    print_rows(found.overlap_rows, as_json=False, title="overlap of the log and each policy")
    for warning in found.warnings:
        note(f"warning: {warning}")
