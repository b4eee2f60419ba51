#!/usr/bin/env bash
# A notebook that epsim wrote is valid, runs again with pandas and matplotlib alone, and draws as
# many marks as before. Skipped (exit 77) where no Python has what that needs.
set -euo pipefail
epsim=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

python=""
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -c 'import ipykernel, matplotlib, nbconvert, nbformat, pandas' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "SKIPPED: no python3 with nbconvert, nbformat, ipykernel, matplotlib and pandas" \
    "(Debian packages jupyter-nbconvert, python3-nbformat, python3-ipykernel," \
    "python3-matplotlib, python3-pandas)"
  exit 77
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$epsim" run "$root/examples/deepseek_v3_decode_h200.json" --timeline \
  --set traffic.tokens_per_rank=8 --json "$folder/run.json" >"$folder/log"
"$epsim" plan --model qwen3-30b-a3b --system hgx-h200 --gpus 8 --phase decode \
  --isl 1024 --osl 256 --batch 16,64,256 --slo-tpot "100 ms" --json "$folder/plan.json" \
  >>"$folder/log"
"$epsim" export "$folder"/{run,plan}.json --notebook "$folder/results.ipynb"

# Without any network but the machine's own, where this user may ask for that.
alone=()
if unshare --user --map-root-user --net ip link set lo up 2>/dev/null; then
  alone=(unshare --user --map-root-user --net bash -c 'ip link set lo up && exec "$@"' bash)
fi
export MPLCONFIGDIR=$folder PYDEVD_DISABLE_FILE_VALIDATION=1
"${alone[@]}" "$python" "$root/tests/notebooks_export/rerun_notebook.py" "$folder/results.ipynb"
