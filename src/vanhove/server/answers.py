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
    is_default: bool = Field(description="what the command takes for this property")
    card: str = Field(description="Markdown: data, measured errors, what not to use it for")
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
    n_archive: int = Field(description="structures that can be searched")


class Polyhedron(BaseModel):
    """The anions around a cation."""

    site: int = Field(description="of the given cell, from 0")
    symbol: str = Field(description="of the cation")
    corners: list[list[float]] = Field(description="from the cation, angstrom")
    faces: list[list[int]] = Field(description="triangles, three corners each")


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
    polyhedra: list[Polyhedron] = Field(description="around cations")
    cif: str = Field(description="of the given cell")
    cif_primitive: str = Field(description="of the cell that was predicted")


class PropertyAnswer(BaseModel):
    """A number, text or flag that follows from the structure or the spectrum."""

    name: str
    label: str = Field(description="in words")
    description: str
    value: bool | int | float | str | list[str] | None
    unit: str
    half_width_90: float | None = Field(default=None, description="half of the 90 % interval")


class ThermalCurves(BaseModel):
    """Harmonic, at constant volume, per mole of atoms."""

    temperature_K: list[float]
    heat_capacity: list[float] = Field(description="J/(K mol of atoms)")
    entropy: list[float] = Field(description="J/(K mol of atoms)")
    free_energy: list[float] = Field(description="Helmholtz, kJ/mol of atoms")
    internal_energy: list[float] = Field(description="kJ/mol of atoms")
    of_all_modes: bool = Field(description="also of those that lie beyond the calibrated grid")
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
    kpoints: list[list[float]] = Field(
        description="fractional, in the reciprocal basis of the cell of the path"
    )
    energies: list[list[float]] = Field(description="[n_kpoints, n_bands], in `unit`")
    zero: str = Field(description="what lies at 0")
    lower_90: list[list[float]] | None = Field(default=None, description="of the 90 % interval")
    upper_90: list[list[float]] | None = None


class DensityAnswer(SpectrumAnswer):
    """A density of states or a part of it, on the vertical scale that all of a card share."""

    name: str = Field(description="`total`, `calibrated` (with error bars), or an element")


class PredictionAnswer(BaseModel):
    """What one model says. Models of force constants or Hamiltonians give a density and bands."""

    model: str
    quantity: str
    title: str = Field(description="of the quantity")
    axis: str = Field(description="what the axis of the spectrum is, with its unit")
    unit: str
    normalisation: str
    scale: str = Field(description="what the normalisation means; empty for bands")
    familiarity: float | None = Field(description="0 to 1; None: this model gives none")
    warnings: list[str] = []
    spectrum: SpectrumAnswer | None = None
    bands: BandsAnswer | None = None
    densities: list[DensityAnswer] = Field(
        default=[],
        description="counted in states per cell (and 1/cm or eV): the total and its shares",
    )
    properties: list[PropertyAnswer]
    thermal: ThermalCurves | None = None
    downloads: list[str] = Field(
        default=[], description="files at /api/results/ID/files/MODEL/NAME"
    )
    csv: str = Field(description="the numbers as a file")


class ModelProblem(BaseModel):
    """Why one of the models gives nothing."""

    model: str
    detail: str


class PredictAnswer(BaseModel):
    """A structure, and what each model says of it."""

    vanhove: str = Field(description="version")
    id: str = Field(description="of /api/results/ID, while the server keeps it")
    structure: DrawnStructure
    predictions: list[PredictionAnswer]
    problems: list[ModelProblem]


class ReferenceAnswer(BaseModel):
    """A calculated or measured spectrum, to lay over a predicted one."""

    name: str
    quantity: str
    unit: str
    normalisation: str
    spectrum: SpectrumAnswer | None = None
    bands: BandsAnswer | None = None
    predicted: BandsAnswer | None = Field(
        default=None, description="by the model, of the reference's crystal on its path"
    )
    choices: list[str] = Field(
        default=[], description="entries of the file, where none is of this formula: ask for one"
    )


class ModeAnswer(BaseModel):
    """One vibration: how the atoms of the primitive cell move."""

    frequency: float = Field(description="1/cm; imaginary ones are negative")
    qpoint: list[float] = Field(description="fractional")
    label: str = Field(description="where on the path")
    lattice: list[list[float]] = Field(description="of the primitive cell, row vectors, angstrom")
    fractional_coordinates: list[list[float]]
    symbols: list[str]
    real: list[list[float]] = Field(
        description="displacement in the cell at the origin, largest length 1; in the cell at R "
        "multiplied by exp(2 pi i q R)"
    )
    imaginary: list[list[float]]


class Download(BaseModel):
    """A file."""

    text: str


class HitAnswer(BaseModel):
    """A structure of the archive."""

    id: str
    formula: str
    n_atoms: int


class SearchAnswer(BaseModel):
    """What was found, the smallest cells first."""

    n_found: int
    hits: list[HitAnswer]


class StoredStructure(BaseModel):
    """A structure of the archive as a file."""

    name: str
    text: str = Field(description="CIF")


class Row(BaseModel):
    """One structure of a batch: properties by name, or the reason why there are none."""

    name: str
    error: str | None = None
    values: dict[str, bool | int | float | str | list[str] | None] = {}
    warnings: list[str] = []
    sparkline: list[float] = Field(
        default=[], description="the density in few points; of bands, the gap is in the values"
    )
    cif: str = ""


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
