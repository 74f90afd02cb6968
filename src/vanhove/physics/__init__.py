"""What phonons and electrons share: blocks between atoms, summed with phases, diagonalised.

Force constants or hoppings between pairs of atoms become Hermitian matrices at any wave vector
(`bloch`), on paths or on meshes (`meshes`); long-ranged parts come from Ewald sums (`ewald`,
`dipoles`), densities of states from tetrahedra (`tetrahedra`). Nothing here knows of a network.
"""
