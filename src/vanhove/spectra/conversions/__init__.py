"""Spectra and bands as other libraries know them; methods of `Spectrum` and `BandStructure`.

=============  ================================================================================
``pymatgen``   ``PhononDos`` (THz), ``Dos`` (eV), band structures along lines
``phonopy``    ``total_dos.dat`` (THz), ``thermal_properties.yaml`` (per mole of cells)
``ase``        ``GridDOSData`` (eV) and what lies in ``Atoms.info``
``files``      JSON and CSV of vanhove
``tables``     pandas and xarray, in our own units
=============  ================================================================================

Phonons leave for pymatgen, phonopy and ASE as modes per cell ("3N"), electrons as they are.
"""
