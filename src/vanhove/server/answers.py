"""What the server answers, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why there is no result: what was got, what is allowed."""

    detail: str


class ModelAnswer(BaseModel):
    """A model that can be asked for."""

    name: str
    property: str = Field(description="phonon-dos, electron-dos or bands")
    quantity: str
    unit: str
    normalisation: str
    dataset: str
    n_train: int = Field(description="crystals it was trained on")
    has_error_bars: bool
    shipped: bool
    elements: list[str] = Field(description="symbols; a crystal with others is refused")


class ExampleAnswer(BaseModel):
    """A structure to try."""

    name: str
    file_name: str
    text: str = Field(description="CIF")


class Limits(BaseModel):
    """What is refused."""

    max_bytes: int
    max_atoms: int
    max_batch_bytes: int
    max_batch_structures: int
    seconds: float


class Catalog(BaseModel):
    """Everything a page needs to begin with."""

    version: str
    models: list[ModelAnswer]
    examples: list[ExampleAnswer]
    limits: Limits


class DrawnStructure(BaseModel):
    """The structure as it was given, and its symmetry."""

    name: str
    formula: str
    crystal_system: str
    space_group_symbol: str
    space_group_number: int
    n_atoms_primitive: int = Field(description="in the cell that was predicted")
    lattice: list[list[float]] = Field(description="of the given cell, row vectors, angstrom")
    fractional_coordinates: list[list[float]]
    symbols: list[str]
    colours: dict[str, str] = Field(description="of each element, #rrggbb")
    radii: dict[str, float] = Field(description="covalent, of each element, angstrom")
    cif: str = Field(description="of the given cell")
    cif_primitive: str = Field(description="of the cell that was predicted")


class PropertyAnswer(BaseModel):
    """A number, text or flag that follows from the structure or the spectrum."""

    name: str
    description: str
    value: bool | int | float | str | list[str] | None
    unit: str
    half_width_90: float | None = Field(default=None, description="half of the 90 % interval")


class ThermalCurves(BaseModel):
    """Harmonic, at constant volume, per mole of atoms."""

    temperature_K: list[float]
    heat_capacity: list[float] = Field(description="J/(K mol of atoms)")
    entropy: list[float] = Field(description="J/(K mol of atoms)")
    heat_capacity_half_width_90: list[float] | None = None
    entropy_half_width_90: list[float] | None = None


class SpectrumAnswer(BaseModel):
    """A density of states."""

    grid: list[float]
    values: list[float]
    lower_90: list[float] | None = Field(default=None, description="of the 90 % interval")
    upper_90: list[float] | None = None


class BandsAnswer(BaseModel):
    """Energies along a path."""

    distances: list[float] = Field(description="1/angstrom")
    labels: list[str] = Field(description="of each k-point, empty where it has none")
    energies: list[list[float]] = Field(description="[n_kpoints, n_bands], from the Fermi level")
    lower_90: list[list[float]] | None = Field(default=None, description="of the 90 % interval")
    upper_90: list[list[float]] | None = None


class PredictionAnswer(BaseModel):
    """What one model says."""

    model: str
    quantity: str
    title: str = Field(description="of the quantity")
    axis: str = Field(description="what the axis of the spectrum is, with its unit")
    unit: str
    normalisation: str
    scale: str = Field(description="what the normalisation means; empty for bands")
    familiarity: float | None = Field(description="0 to 1; None: this model gives none")
    spectrum: SpectrumAnswer | None = None
    bands: BandsAnswer | None = None
    properties: list[PropertyAnswer]
    thermal: ThermalCurves | None = None
    csv: str = Field(description="the numbers as a file")


class ModelProblem(BaseModel):
    """Why one of the models gives nothing."""

    model: str
    detail: str


class PredictAnswer(BaseModel):
    """A structure, and what each model says of it."""

    vanhove: str = Field(description="version")
    structure: DrawnStructure
    predictions: list[PredictionAnswer]
    problems: list[ModelProblem]


class ReferenceAnswer(BaseModel):
    """A spectrum to lay over a predicted one."""

    name: str
    quantity: str
    unit: str
    normalisation: str
    spectrum: SpectrumAnswer


class Row(BaseModel):
    """One structure of a batch: properties by name, or the reason why there are none."""

    name: str
    error: str | None = None
    values: dict[str, bool | int | float | str | list[str] | None] = {}


class FileAnswer(BaseModel):
    """All structures of one file."""

    columns: dict[str, str] = Field(description="property -> unit")
    rows: list[Row]


class BatchAnswer(BaseModel):
    """A batch: where it is, and its rows from ``first_row`` on."""

    id: str
    state: Literal["running", "done", "cancelled"]
    model: str
    n_files: int
    n_files_done: int
    n_rows: int
    columns: dict[str, str] = Field(description="property -> unit")
    rows: list[Row]
