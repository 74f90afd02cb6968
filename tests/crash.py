"""Kills a command at each of its writes, starts it again, and compares what it leaves.

``python -m tests.crash COMMAND EVERY`` prints the result as JSON. Each try is a forked process that
ends at once, as by a kill: nothing is tidied up. A file that is being opened for writing is left
empty, as if its content had not reached the disk.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLED = 137
_SECONDS = re.compile(rb'("[a-z_]*(?:seconds|time|duration)[a-z_]*": *)[-+.e\d]+')


class Killer:
    """Counts the writes below a folder; at number ``point`` the process ends."""

    def __init__(self, root: Path, point: int | None, counter: Path):
        self.root, self.point, self.counter, self.n = str(root), point, counter, 0
        self.open = builtins.open

    def install(self) -> None:
        builtins.open = io.open = self._open  # type: ignore[assignment]
        os.replace, os.rename = self._moving(os.replace), self._moving(os.rename)
        os.mkdir, os.unlink = self._changing(os.mkdir), self._changing(os.unlink)
        os.rmdir = self._changing(os.rmdir)
        if "sqlalchemy" in sys.modules:  # each commit to a database
            from sqlalchemy.engine.default import DefaultDialect

            DefaultDialect.do_commit = self._changing(DefaultDialect.do_commit)

    def _reached(self, path: Any) -> bool:
        if not str(path).startswith(self.root):
            return False
        self.n += 1
        with self.open(self.counter, "w") as stream:
            stream.write(str(self.n))
        return self.n == self.point

    def _open(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        stream = self.open(file, mode, *args, **options)
        if set(mode) & set("wax+") and self._reached(file):
            os._exit(KILLED)
        return stream

    def _changing(self, change: Callable[..., None]) -> Callable[..., None]:
        """A change that a kill comes before; a commit has no path."""

        def changing(*args: Any, **options: Any) -> None:
            path = args[0] if isinstance(args[0], str | os.PathLike) else self.root
            if not str(path).endswith(".lock") and self._reached(path):
                os._exit(KILLED)
            change(*args, **options)

        return changing

    def _moving(self, move: Callable[..., None]) -> Callable[..., None]:
        def moving(source: Any, target: Any, **options: Any) -> None:
            if self._reached(target):
                os._exit(KILLED)
            move(source, target, **options)

        return moving


def attempt(command: Callable[[Path], None], root: Path, point: int | None) -> tuple[int, int]:
    """Status and number of writes of the command in a process of its own."""
    counter = root.parent / f"{root.name}.count"
    counter.write_text("0")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with open(root.parent / "messages", "a") as messages:
                os.dup2(messages.fileno(), 1)
                os.dup2(messages.fileno(), 2)
            Killer(root, point, counter).install()
            command(root)
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    _, code = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(code), int(counter.read_text())


def content(root: Path) -> dict[str, bytes]:
    """Every file that the command left, without the times in it and without locks."""
    found = {}
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.name in (".lock", "lock"):
            continue
        data = path.read_bytes()
        if path.suffix == ".db":
            data = _trials(path)
        if path.name in ("metrics.csv", "trials.csv"):
            rows = [line.split(b",") for line in data.splitlines()]
            column = rows[0].index(b"seconds") if rows and b"seconds" in rows[0] else None
            data = b"\n".join(
                b",".join(x for i, x in enumerate(row) if i != column) for row in rows
            )
        if path.suffix == ".safetensors":
            # The header's length, and its padding, depend on the times in it.
            size = int.from_bytes(data[:8], "little")
            header = re.sub(rb"\\\"", b'"', data[8 : 8 + size]).rstrip()
            data = _SECONDS.sub(rb"\g<1>0", header) + data[8 + size :]
        elif path.suffix in (".json", ".jsonl"):
            data = _SECONDS.sub(rb"\g<1>0", data)
        found[str(path.relative_to(root))] = data
    return found


def _trials(path: Path) -> bytes:
    """What a study has found; the database itself holds dates on every page."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    (summary,) = optuna.get_all_study_summaries(storage := f"sqlite:///{path}")
    study = optuna.load_study(study_name=summary.study_name, storage=storage)
    rows = [
        (t.number, t.state.name, t.values, t.params, t.intermediate_values)
        for t in study.get_trials()
    ]
    return json.dumps(rows).encode()


def measure(command: Callable[[Path], None], every: int = 1) -> dict[str, Any]:
    """Kill the command at every n-th write, start it again, compare with a run that was not killed.

    Returns:
        ``writes``, ``tried``, ``survived`` and the ``failures``, point by point.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        status, writes = attempt(command, whole, None)
        if status:
            raise RuntimeError((Path(folder) / "messages").read_text()[-2000:])
        right = content(whole)
        failures = []
        points = list(range(1, writes + 1, every))
        for point in points:
            root = Path(folder) / f"point{point}"
            root.mkdir()
            first, _ = attempt(command, root, point)
            second, _ = attempt(command, root, None)
            found = content(root)
            differ = sorted(name for name in {*right, *found} if right.get(name) != found.get(name))
            if first != KILLED or second or differ:
                failures.append(
                    {"point": point, "first": first, "second": second, "differ": differ[:5]}
                )
        messages = (Path(folder) / "messages").read_text()[-1500:] if failures else ""
    return {
        "writes": writes,
        "tried": len(points),
        "survived": len(points) - len(failures),
        "failures": failures,
        "messages": messages,
    }


def _train(root: Path) -> None:
    from vanhove.training.train import train

    train(_config(), root / "run", resume=True, quiet=True)


def _config() -> Any:
    from tests.conftest import SMALL_RUN
    from vanhove.runs.config import RunConfig, with_overrides

    return RunConfig.parse(with_overrides(SMALL_RUN, {"training.checkpoint_seconds": 0}))


def _finetune(root: Path) -> None:
    from vanhove.training.finetuning import finetune

    finetune(
        "dostransformer-phonon",
        data="tiny",
        folds=0,
        output=root / "run",
        resume=True,
        overrides={"training.epochs": 2, "training.precision": "float32"},
        quiet=True,
    )


def _label(root: Path) -> None:
    from tests.conftest import STRUCTURES
    from vanhove.errors import ConfigError
    from vanhove.screening.labelling import label

    try:
        label(STRUCTURES, root / "labelled", model="dostransformer-phonon")
    except ConfigError:  # finished before it was killed
        assert (root / "labelled" / "spectra.csv").exists()


def _embed(root: Path) -> None:
    from vanhove.embeddings.embedding import embed

    small = {"latent_dim": 8, "hidden_dim": 24, "n_layers": 1, "batch_size": 16, "epochs": 2}
    places = {"latents": root / "latents.npz", "map_": root / "map.html"}
    embed("tiny", root / "a.safetensors", settings=small, quiet=True, **places)


def _sweep(root: Path) -> None:
    from vanhove.experiments.sweep import sweep

    sweep(_config(), {"training.learning_rate": [1e-3, 3e-3]}, output=root / "sweep", quiet=True)


def _ensemble(root: Path) -> None:
    from vanhove.runs.checkpoint import export
    from vanhove.training.ensemble import make_ensemble

    members = []
    for seed in (0, 1):
        config = _config().model_copy(update={"seed": seed})
        from vanhove.training.train import train_to_end

        members.append(train_to_end(config, root.parent / f"member{seed}", quiet=True).folder)
    make_ensemble(members, root / "joined" / "both.safetensors", quiet=True)
    export(members[0], root / "half.safetensors")


def _reproduce(root: Path) -> None:
    from vanhove.experiments.reproduce import reproduce

    options = {"quick": True, "quiet": True, "rows": ["E3NN"]}
    reproduce("dostransformer-table1", runs=root / "runs", output=root / "out", **options)


def _import(root: Path) -> None:
    from tests.conftest import STRUCTURES
    from vanhove.datasets.importing import import_calculations
    from vanhove.errors import ConfigError

    rows = "".join(f"{f:.2f} {0.75 if 1 <= f < 9 else 0}\n" for f in [x / 10 for x in range(100)])
    source = root.parent / "calculations" / "NaCl"
    source.mkdir(parents=True, exist_ok=True)
    (source / "total_dos.dat").write_text(rows)
    (source / "NaCl.cif").write_bytes((STRUCTURES / "NaCl.cif").read_bytes())
    try:
        import_calculations(source.parent, root / "data")
    except ConfigError:  # finished before it was killed
        assert (root / "data" / "spectra.json").exists()


def _tune(root: Path) -> None:
    from tests.tuning.conftest import space_content
    from vanhove.tuning.search import tune
    from vanhove.tuning.space import SearchSpace

    tune(SearchSpace.parse(space_content()).resolved(), root / "search", trials=3, quiet=True)


def _screen(root: Path) -> None:
    from tests.conftest import STRUCTURES
    from vanhove.screening.screening import screen

    screen(STRUCTURES, root / "screened", model="dostransformer-phonon", partition_size=4)


COMMANDS = {
    "train": _train,
    "finetune": _finetune,
    "label": _label,
    "embed": _embed,
    "sweep": _sweep,
    "tune": _tune,
    "screen": _screen,
    "ensemble": _ensemble,
    "reproduce": _reproduce,
    "data import": _import,
}


if __name__ == "__main__":
    import torch

    import vanhove.embeddings.embedding
    import vanhove.experiments.sweep
    import vanhove.screening.labelling
    import vanhove.training.finetuning  # noqa: F401  # once, not in every process

    torch.set_num_threads(1)
    print(json.dumps(measure(COMMANDS[sys.argv[1]], int(sys.argv[2]))))
