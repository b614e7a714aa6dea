"""A section of the settings or of a mapping file."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen group of settings that rejects names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
