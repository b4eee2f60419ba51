#!/usr/bin/env bash
# Processes under mpirun fill the table that one process fills, byte for byte, and a sweep that
# mpirun was killed in goes on.
#
#   tests/cli/sweep_mpi_test.sh EPSIM    skipped (exit 77) without mpirun or an epsim built with MPI
set -euo pipefail
epsim=$1
if ! command -v mpirun >/dev/null; then
  echo "SKIPPED: mpirun is not installed (Debian package openmpi-bin)"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/quick.json" <<'JSON'
{"schema": "epsim.sweep/1", "name": "quick", "scenario": {
  "schema": "epsim.scenario/1", "topology": {"preset": "hgx-h200"},
  "traffic": {"routing": "random", "ranks": 2, "experts": 16, "top_k": 2, "tokens_per_rank": 1},
  "hidden": 1024, "kernel": {"family": "deepep-ll-1.2.1"}, "seed": 3},
 "axes": {"traffic.tokens_per_rank": [1, 2, 4], "traffic.top_k": [1, 2, 32]}, "seeds": 40}
JSON

launch=(mpirun --oversubscribe -n 3)
[ "$(id -u)" -ne 0 ] || launch+=(--allow-run-as-root)
# A sandbox may forbid what processes of one host use to reach each other fastest.
export OMPI_MCA_btl_vader_single_copy_mechanism=none
# MPI's own libraries keep memory to their end.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

run() { "$@" sweep "$folder/quick.json" --out "$out" >"$folder/out" 2>"$folder/err"; }

out=$folder/one.sqlite
run "$epsim" || { cat "$folder/err"; exit 1; }
out=$folder/three.sqlite
if ! run "${launch[@]}" "$epsim"; then
  cat "$folder/err"
  grep -q 'built without MPI' "$folder/err" || exit 1
  echo "SKIPPED: this epsim was built without MPI"
  exit 77
fi
cmp "$folder/one.sqlite" "$folder/three.sqlite"

out=$folder/killed.sqlite
for limit in 0.5 0.7 0.9; do
  timeout -s KILL "$limit" "${launch[@]}" "$epsim" sweep "$folder/quick.json" --out "$out" \
    >/dev/null 2>&1 || true
  sleep 0.2  # its processes notice that mpirun is gone
done
# Those that have not noticed yet still hold the table.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  run "${launch[@]}" "$epsim" && break
  grep -q 'another program fills it' "$folder/err" || { cat "$folder/err"; exit 1; }
  sleep 1
done
cmp "$folder/one.sqlite" "$folder/killed.sqlite"

sed 's/"seeds": 40/"seeds": 41/' "$folder/quick.json" >"$folder/other.json"
code=0
"${launch[@]}" "$epsim" sweep "$folder/other.json" --out "$out" >/dev/null 2>"$folder/err" || code=$?
[ "$code" -eq 2 ] || { echo "expected exit 2 of another sweep, found $code"; exit 1; }
[ "$(grep -c '^epsim: ' "$folder/err")" -eq 1 ] || { cat "$folder/err"; exit 1; }
echo "identical tables of one process and of three, and after mpirun was killed"
