#!/usr/bin/env bash
# What others' programs say of the texts that epsim writes about itself. Skipped (exit 77) where
# such a program is not installed.
#
#   texts_test.sh mandoc|zsh EPSIM
set -euo pipefail
tool=$1 epsim=$2
if ! command -v "$tool" >/dev/null; then
  echo "SKIPPED: $tool is not installed (Debian package $tool)"
  exit 77
fi
case $tool in
  mandoc)
    # Matters of style aside: the page names epsim where an operating system may stand.
    "$epsim" manual | mandoc -T lint -W warning
    "$epsim" manual | mandoc -T utf8 >/dev/null
    ;;
  zsh) "$epsim" completion zsh | zsh -n /dev/stdin ;;
esac
