#!/usr/bin/env bash
# scripts/update-plan asks about every record that can be asked about, writes what it was answered,
# and leaves the page alone when one is refused. A stand-in answers. Skipped (exit 77) without Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v python3 >/dev/null || { echo "SKIPPED: python3 is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "update_plan_test: $1" >&2; exit 1; }

# Answers 5000 tokens/s and notes the command; refuses the batch that REFUSED names.
cat >"$work/epsim" <<'STAND_IN'
#!/usr/bin/env bash
echo "$*" >>"$ASKED"
case " $* " in *" --batch ${REFUSED:-none} "*) echo "epsim: refused" >&2; exit 2 ;; esac
printf '{"results": [{"tokens_per_s_per_gpu": 5000, "throughput_interval": [4500, 5500], "latency_ms": 1}]}' >"${@: -1}"
STAND_IN
chmod +x "$work/epsim"
for name in end-points end-point-gains end-points-not-run; do
  printf '<!-- %s:begin -->\n<!-- %s:end -->\n' "$name" "$name"
done >"$work/page.md"
cp "$work/page.md" "$work/empty.md"
export EPSIM=$work/epsim PLAN_PAGE=$work/page.md ASKED=$work/asked

if REFUSED=88 scripts/update-plan 2>"$work/said"; then fail "a refused record does not end in an error"; fi
grep -q 'deepseek-production-decode: exit 2: epsim: refused' "$work/said" || fail "the refused record is not named"
cmp -s "$work/page.md" "$work/empty.md" || fail "the page changed although a record was refused"

: >"$ASKED"
scripts/update-plan
asked=$(wc -l <"$ASKED")
[ "$asked" -eq "$(scripts/update-plan --commands | wc -l)" ] || fail "$asked commands were run"
# 5000 / 4026 - 1 = 24 %
grep -q '^| \[deepseek-production-prefill\].*| 73,700 | 4,026 | 5,000 \[4,500, 5,500\] | +24 % |' "$work/page.md" ||
  fail "the row of deepseek-production-prefill is not as expected"
grep -q '^| two batches, decode, 256 sequences | +25.5 % | +0 % |' "$work/page.md" || fail "no ratio"
grep -q '^| \[vllm-h200-decode\]' "$work/page.md" || fail "what is not run is not listed"
