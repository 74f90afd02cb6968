"""Run a search, kill it at random moments, give the same command again; write what was killed.

Usage:
    python scripts/search_with_kills.py OUTPUT.json --kills 3 --seed 0 -- SPACE -o FOLDER

Everything after ``--`` goes to ``vanhove tune``. A kill is SIGKILL, 60 to 360 seconds after the
command was given.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path


def finished_and_running(folder: Path) -> tuple[int, list[dict]]:
    """Trials of a search by its log folders: how many have ended, and where the others are."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{folder / 'study.db'}"
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    running = [t for t in trials if t.state == optuna.trial.TrialState.RUNNING]
    places = [{"trial": t.number, "epochs_done": len(t.intermediate_values)} for t in running]
    return sum(t.state.is_finished() for t in trials), places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    folder = Path(options.command[options.command.index("-o") + 1])
    chance = random.Random(options.seed)
    kills: list[dict] = []
    command = [sys.executable, "-m", "vanhove", "tune", *options.command]
    while True:
        process = subprocess.Popen(command)
        wait = chance.uniform(60, 360) if len(kills) < options.kills else None
        began = time.monotonic()
        try:
            status = process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            finished, running = finished_and_running(folder)
            kills.append(
                {
                    "signal": "SIGKILL",
                    "seconds_after_start": round(time.monotonic() - began, 1),
                    "trials_finished": finished,
                    "running": running,
                }
            )
            options.output.write_text(json.dumps(kills, indent=1) + "\n")
            continue
        sys.exit(status)


if __name__ == "__main__":
    main()
