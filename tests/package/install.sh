#!/bin/sh
# Installs a finished build under an empty prefix: install.sh <cmake> <build folder> <prefix>
set -eu

rm -rf "$3"
"$1" --install "$2" --prefix "$3" >/dev/null
for file in include/isolith/isolith.h share/doc/isolith/LICENSE share/doc/isolith/README.md; do
  test -f "$3/$file" || { echo "not installed: $file"; exit 1; }
done
