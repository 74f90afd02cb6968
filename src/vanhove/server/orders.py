"""What the server asks of a worker process, beside the bytes of an upload."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field, TypeAdapter


class PredictOrder(BaseModel):
    """One structure with several models."""

    what: Literal["predict"] = "predict"
    name: str = Field(description="of the file, which tells its format")
    models: list[str]


class TableOrder(BaseModel):
    """Properties of all structures of a file."""

    what: Literal["table"] = "table"
    name: str = Field(description="of the file, which tells its format")
    model: str


class ReferenceOrder(BaseModel):
    """An uploaded spectrum."""

    what: Literal["reference"] = "reference"
    name: str = Field(description="of the file, which tells its format")
    normalisation: str = Field(description="of the values, where the file does not say it")


Order: TypeAlias = Annotated[
    PredictOrder | TableOrder | ReferenceOrder, Field(discriminator="what")
]
ORDER: TypeAdapter[Order] = TypeAdapter(Order)
"""Reads an order from JSON."""
