#!/usr/bin/env bash
# The tree is formatted as .clang-format says. Skipped (exit 77) without clang-format 14: another
# version formats in another way.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

formatter=""
for candidate in clang-format-14 clang-format; do
  if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then
    formatter=$candidate
    break
  fi
done
if [ -z "$formatter" ]; then
  echo "SKIPPED: clang-format 14 is not installed (Debian package clang-format-14)"
  exit 77
fi

find cli calibrate kernels models notebooks_export sim tests topologies traces \
  -name node_modules -prune -o -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.cuh' -o -name '*.cu' \) -print0 |
  xargs -0 "$formatter" --dry-run -Werror
