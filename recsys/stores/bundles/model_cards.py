"""Where model cards are: inside the bundle as it left training, beside the report once it was evaluated."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError
from recsys.evaluation.compare import Evaluation
from recsys.evaluation.model_card import card_of, card_with_test, render_card
from recsys.home import HomePaths
from recsys.models.bundle import Bundle
from recsys.stores.bundles.bundles import extra_file, load_manifest
from recsys.stores.lake.dataset_files import load_info, load_report, save_text

CARD, CARD_TEXT = "card.json", "model-card.md"


def card_files(bundle: Bundle, paths: HomePaths) -> dict[str, Callable[[Path], None]]:
    """The two files of the card of a bundle that is about to be saved, see `save_bundle`'s extras."""
    from recsys.models.encoders.encoder_licence import encoder_licence

    card = card_of(
        bundle.manifest,
        info=load_info(paths),
        cleaning=load_report(paths),
        encoder_licence=encoder_licence(bundle.manifest.encoder),
        ranker=bundle.ranker is not None,
    )

    def write(text: str) -> Callable[[Path], None]:
        def at(path: Path) -> None:
            path.write_text(text, "utf-8")

        return at

    return {CARD: write(_json(card)), CARD_TEXT: write(render_card(card))}


def save_evaluated_card(bundle: Path, evaluation: Evaluation, folder: Path) -> Path:
    """Writes the card of a bundle with its test into a report's folder; returns the path of the text.

    Bundles never change once written, so this one lies beside the report.
    """
    card = card_with_test(load_card(bundle, None), evaluation)
    save_text(folder / CARD, _json(card))
    save_text(folder / CARD_TEXT, render_card(card))
    return folder / CARD_TEXT


def load_card(bundle: Path, report: Path | None) -> JsonObject:
    """The card with its test where `report` has one, else the card in the bundle, else one of its manifest.

    Raises:
        ArtifactNotFoundError: no bundle there.
        ArtifactMismatchError: the card cannot be read.
    """
    manifest = load_manifest(bundle)
    inside = extra_file(bundle, manifest, CARD)
    for path in (report / CARD if report else None, inside):
        if path is not None and path.exists():
            try:
                return dict(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError) as error:
                raise ArtifactMismatchError(
                    f"{path} cannot be read: {error}. Run `recsys evaluate`."
                ) from error
    return card_of(manifest)


def _json(card: Mapping[str, Any]) -> str:
    return json.dumps(card, indent=2, ensure_ascii=False) + "\n"
