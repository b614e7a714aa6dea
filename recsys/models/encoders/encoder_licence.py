"""The licence of a text encoder, as its own model card states it."""

import re

from recsys.errors import ArtifactNotFoundError
from recsys.models.encoders.text_encoder import encoder_folder

UNKNOWN = "unknown"


def encoder_licence(encoder: str) -> str:
    """The `license` of the README that lies beside the encoder's weights; `unknown` where none says so."""
    try:
        folder = encoder_folder(encoder)
        text = (folder / "README.md").read_text("utf-8") if folder else ""
    except (OSError, UnicodeDecodeError, ArtifactNotFoundError):
        return UNKNOWN
    return stated_licence(text) or UNKNOWN


def stated_licence(readme: str) -> str | None:
    """The licence in the front matter of a model's README.

    >>> stated_licence('---' + chr(10) + 'license: apache-2.0' + chr(10) + '---' + chr(10) + '# A model')
    'apache-2.0'
    """
    front = re.match(r"\s*---\s*\n(.*?)\n---", readme, re.DOTALL)
    found = re.search(r"(?m)^license:\s*[\"']?([^\"'\n]+?)[\"']?\s*$", front.group(1)) if front else None
    return found.group(1) if found else None
