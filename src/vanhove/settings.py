"""The base of all settings that a run file can hold."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen; unknown keys are errors, so that a misspelt one is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
