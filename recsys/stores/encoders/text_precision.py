"""The precision of a home's text vectors, as its own texts were found to allow.

    <home>/features/text_precision.json

It lies beside the rows that it holds for: what was found of the first texts stays, so that all vectors of a
home are of one precision. Without features there is nothing to keep to.
"""

import json
from dataclasses import asdict, dataclass

from recsys import atomic
from recsys.config import Settings, TextSettings
from recsys.errors import ArtifactMismatchError
from recsys.home import HomePaths

FILE = "text_precision.json"
AUTO, INT8, FLOAT32 = "auto", "int8", "float32"


@dataclass(frozen=True)
class PrecisionFound:
    """What was found of a home's texts.

    Attributes:
        encoder: the name of the encoder in float32, which hashes its weights.
        precision: `int8` or `float32`.
        cosine_mean, cosine_min: of the vectors in int8 with those in float32.
        neighbours_shared: of each text's nearest ten, the share that both have.
        texts: that were compared.
    """

    encoder: str
    precision: str
    cosine_mean: float
    cosine_min: float
    neighbours_shared: float
    texts: int


def read_precision(paths: HomePaths) -> PrecisionFound | None:
    """What was found of the home's texts; None if nothing was.

    Raises:
        ArtifactMismatchError: the file is none of these.
    """
    file = paths.features / FILE
    try:
        return PrecisionFound(**json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactMismatchError(
            f"{file} cannot be read: {error}. Delete {file.parent} and run `recsys features build`."
        ) from error


def write_precision(paths: HomePaths, found: PrecisionFound) -> None:
    """Keeps what was found."""
    paths.features.mkdir(parents=True, exist_ok=True)
    atomic.write_text(paths.features / FILE, json.dumps(asdict(found), indent=2) + "\n")


def shop_text_settings(settings: Settings) -> TextSettings:
    """The section `text`, `auto` replaced by `int8` where that was found to do.

    Raises:
        ArtifactMismatchError: what was found cannot be read.
    """
    if settings.text.precision != AUTO:
        return settings.text
    found = read_precision(settings.paths)
    if found is None or found.precision != INT8:
        return settings.text
    return settings.text.model_copy(update={"precision": INT8})
