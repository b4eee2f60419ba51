#!/usr/bin/env bash
# A page in headless Chromium: page_browser_test.sh PAGE_SAMPLE EPSIM. Skipped (exit 77) without
# Chromium, its driver or Selenium.
set -euo pipefail

page_sample=$1
epsim=$2
here=$(dirname "${BASH_SOURCE[0]}")
for tool in chromium chromedriver; do
  if ! command -v "$tool" >/dev/null; then
    echo "SKIPPED: no $tool here (Debian packages chromium, chromium-driver)"
    exit 77
  fi
done
python=""
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -c 'import selenium' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "SKIPPED: no Selenium here (Debian package python3-selenium)"
  exit 77
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
status=0
"$page_sample" "$folder/sample.html" || status=$?
if [ "$status" -eq 77 ]; then
  echo "SKIPPED: built without Vega (npm ci --prefix notebooks_export --ignore-scripts)"
  exit 77
fi
[ "$status" -eq 0 ]
examples=$here/../../examples
"$epsim" run "$examples/deepseek_v3_decode_h200.json" --timeline --json "$folder/run.json" >"$folder/run.txt"
"$epsim" run "$examples/deepseek_v3_prefill_tbo.json" --timeline --json "$folder/step.json" >"$folder/step.txt"
"$epsim" export "$folder/run.json" "$folder/step.json" --html "$folder/report.html"
exec "$python" "$here/page_browser_test.py" "$folder/sample.html" "$folder/report.html"
