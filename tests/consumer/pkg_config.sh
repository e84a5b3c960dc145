#!/bin/sh
# Builds and runs README's program, which needs both libraries, as somebody without CMake would.
#   pkg_config.sh COMPILER PREFIX README_PROGRAM.cpp CHECK…
# CHECK is a command that runs the program it is given and looks at what that prints. 77: skipped, pkg-config is missing.
set -eu
command -v pkg-config >/dev/null || { echo "skipped: pkg-config is missing"; exit 77; }
PKG_CONFIG_PATH=$(dirname "$(find "$2" -name golem-devnet.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
"$1" -std=c++20 -x c++ "$3" -x none $(pkg-config --cflags --libs golem-devnet) -o pkg_config_consumer
shift 3
exec "$@" ./pkg_config_consumer
