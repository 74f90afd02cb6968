"""What the server asks of a worker process, beside the bytes of an upload."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field, TypeAdapter


class PredictOrder(BaseModel):
    """One structure with several models."""

    what: Literal["predict"] = "predict"
    id: str = Field(description="of the result")
    name: str = Field(description="of the file, which tells its format")
    models: list[str]


class TableOrder(BaseModel):
    """Properties of all structures of a file."""

    what: Literal["table"] = "table"
    name: str = Field(description="of the file, which tells its format")
    model: str


class ReferenceOrder(BaseModel):
    """The files of a calculation, one after the other."""

    what: Literal["reference"] = "reference"
    sizes: list[tuple[str, int]] = Field(description="name and bytes of each file")
    normalisation: str = Field(description="that the density is brought to")
    formula: str = Field(description="of the prediction; chooses among entries")
    n_atoms: int | None = Field(description="in the cell of the prediction")
    entry: str = Field(description="name of the entry that is meant; empty: the formula tells")
    model: str = Field(description="predicts bands on the path of the reference; empty: none")


class ModeOrder(BaseModel):
    """A vibration of a structure."""

    what: Literal["mode"] = "mode"
    name: str = Field(description="of the file, which tells its format")
    model: str
    point: int = Field(description="of the path, from 0")
    band: int = Field(description="from 0")


class FileOrder(BaseModel):
    """A prediction as a file of another program."""

    what: Literal["file"] = "file"
    name: str = Field(description="of the uploaded file, which tells its format")
    model: str
    file: str = Field(description="the download that is wanted")


class SearchOrder(BaseModel):
    """Structures of the archive."""

    what: Literal["search"] = "search"
    text: str = Field(description="a formula, elements or an id")


class StructureOrder(BaseModel):
    """One structure of the archive."""

    what: Literal["structure"] = "structure"
    id: str


Order: TypeAlias = Annotated[
    PredictOrder
    | TableOrder
    | ReferenceOrder
    | ModeOrder
    | FileOrder
    | SearchOrder
    | StructureOrder,
    Field(discriminator="what"),
]
ORDER: TypeAdapter[Order] = TypeAdapter(Order)
"""Reads an order from JSON."""
