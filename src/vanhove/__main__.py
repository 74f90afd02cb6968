"""``python -m vanhove``: the command, also what ``torchrun -m vanhove`` starts."""

from vanhove.cli import main

main()
