#!/bin/sh
# Builds docs/examples/quickstart in a folder of its own outside the tree, and runs it:
#
#   quickstart.sh find_package|pkg_config|subdirectory <root of the tree> <prefix where isolith is installed>
#
# Environment: CMAKE, CXX, LAUNCHER (may be empty).
set -eu

way="$1" tree="$2" prefix="$3"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$tree/docs/examples/quickstart" "$work/quickstart"
cd "$work"
config=$(find "$prefix" -name isolithConfig.cmake) pc=$(find "$prefix" -name isolith.pc)

# The second run finds what the first one stored.
expect_output() {
  rm -rf run && mkdir run
  (cd run && "$@" >first.txt && "$@" >second.txt)
  printf 'alice = 100\nbob = 250\n' | diff - run/first.txt
  printf 'alice = 100+100\nbob = 250\n' | diff - run/second.txt
}

configure() {
  "$CMAKE" -S "$1" -B build -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_CXX_COMPILER_LAUNCHER="${LAUNCHER:-}" "$2"
}

case "$way" in
  find_package)
    [ -n "$config" ]
    configure quickstart -DCMAKE_PREFIX_PATH="$prefix"
    "$CMAKE" --build build
    expect_output "$work/build/quickstart"
    ;;
  pkg_config)
    [ -n "$pc" ]
    export PKG_CONFIG_PATH="$(dirname "$pc")"
    pkg-config --exact-version="$(sed -n 's/^Version: //p' "$pc")" isolith
    "$CXX" -std=c++20 quickstart/main.cc -o with_shared $(pkg-config --cflags --libs isolith)
    export LD_LIBRARY_PATH="$(pkg-config --variable=libdir isolith)"
    expect_output "$work/with_shared"
    unset LD_LIBRARY_PATH
    "$CXX" -std=c++20 quickstart/main.cc -o with_static -static $(pkg-config --static --cflags --libs isolith)
    expect_output "$work/with_static"
    ;;
  subdirectory)
    {
      echo 'cmake_minimum_required(VERSION 3.22)'
      echo 'project(embedding LANGUAGES CXX)'
      echo 'set(CMAKE_EXPORT_COMPILE_COMMANDS ON)'
      echo "add_subdirectory(\"$tree\" isolith)"
      echo 'add_subdirectory(quickstart)'
    } >CMakeLists.txt
    configure . -DCMAKE_CXX_FLAGS=-O0
    # Nothing but the engine and the program is built, and our warnings are not their errors.
    if grep -E -e "-Werror|$tree/(tests|tools|bench)/" build/compile_commands.json; then
      echo "a program that embeds isolith would build this too"
      exit 1
    fi
    "$CMAKE" --build build --parallel 2
    expect_output "$work/build/quickstart/quickstart"
    ;;
  *) echo "unknown way: $way" >&2; exit 2 ;;
esac
echo "package: $way ok"
