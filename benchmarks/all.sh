#!/usr/bin/env bash
# Everything of docs/performance.md that depends on the shipped models; about a quarter of an hour
# on two quiet cores. The rest (other codes, every kind of model) is `make bench`.
# Usage: VANHOVE_DATA=data benchmarks/all.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
export PYTHONPATH=$PWD/src OMP_NUM_THREADS=1
for model in vanhove-phonon vanhove-phonon-fast; do
  "$python" benchmarks/screening.py --model $model --sizes 1000 3000 10000 \
    -o results/speed/screening-$model.json
done
"$python" benchmarks/large_cells.py --repeats 1 2 3 5 9
"$python" benchmarks/one_crystal.py
for part in from_files cold_start graphs; do "$python" benchmarks/run.py --part $part; done
"$python" scripts/performance_page.py
