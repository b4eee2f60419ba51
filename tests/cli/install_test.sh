#!/usr/bin/env bash
# What an installation holds, and that it works from where it was put.
#
#   install_test.sh CMAKE BUILD-FOLDER
set -euo pipefail
cmake=$1 build=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

fail() {
  echo "install: $1" >&2
  exit 1
}

DESTDIR=$root "$cmake" --install "$build" --prefix /usr >"$root/log" || fail "$(tail -n 5 "$root/log")"
prefix=$root/usr
documents=$prefix/share/doc/epsim
for file in bin/epsim share/bash-completion/completions/epsim share/zsh/site-functions/_epsim \
  share/doc/epsim/LICENSE share/doc/epsim/README.md share/doc/epsim/CHANGELOG.md \
  share/doc/epsim/docs/models.md; do
  [ -s "$prefix/$file" ] || fail "$file is missing"
done

# Far from the source tree: nothing of it may be needed.
cd "$root"
[[ $("$prefix/bin/epsim" --version) =~ ^epsim\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "no version"
"$prefix/bin/epsim" run "$documents/examples/deepseek_v3_decode_h200.json" >run.txt
grep -q '^dispatch .* us ' run.txt || fail "the installed program does not predict"

# The page that was installed is the one that the installed program would write.
"$prefix/bin/epsim" manual >page
if [ -s "$prefix/share/man/man1/epsim.1.gz" ]; then
  gzip -dc "$prefix/share/man/man1/epsim.1.gz" | cmp - page || fail "the page is another"
else
  cmp "$prefix/share/man/man1/epsim.1" page || fail "the page is another"
fi
for shell in bash zsh; do
  "$prefix/bin/epsim" completion "$shell" >"$shell"
done
cmp bash "$prefix/share/bash-completion/completions/epsim" || fail "bash's completion is another"
cmp zsh "$prefix/share/zsh/site-functions/_epsim" || fail "zsh's completion is another"

# A minimal system may divert man; then nothing is looked up.
if found=$(man -M "$prefix/share/man" -w epsim 2>/dev/null) && [[ $found == *epsim.1* ]]; then
  [[ $found == "$prefix/share/man/man1/epsim.1"* ]] || fail "man finds $found"
else
  echo "man is not here: no look-up of the page"
fi
