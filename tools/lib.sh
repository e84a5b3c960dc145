# What tools/test and tools/demo share. Sourced by bash with `set -eu`, from the top of the tree.

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Of any architecture: dpkg-query tells one line for each.
is_installed() {
    dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# Prints the Boost package to have: nothing if a new enough one is installed (1.81 or newer), else the one to install.
boost_package() {
    local package version candidate
    for package in $(dpkg-query -W -f='${Package}\n' 'libboost*-dev' 2>/dev/null | grep -E '^libboost(1\.[0-9]+)?-dev$'); do
        version=$(dpkg-query -W -f='${Version}\n' "$package" | head -n 1)
        if is_installed "$package" && dpkg --compare-versions "$version" ge 1.81; then
            return
        fi
    done
    candidate=$(LC_ALL=C apt-cache policy libboost-dev 2>/dev/null | sed -n 's/^ *Candidate: //p')
    if [ -n "$candidate" ] && [ "$candidate" != '(none)' ] && dpkg --compare-versions "$candidate" ge 1.81; then
        echo libboost-dev
    else
        # Debian 12: its default is 1.74, which has other headers in the same place.
        echo libboost1.81-dev
    fi
}

# Installs those of the packages that are missing. Says nothing and asks nobody when all are there.
install_packages() {
    local package missing=() output simulation removed
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        printf 'Not a Debian system: install the equivalents of these yourself: %s, Boost 1.81 or newer\n' "$*" >&2
        return
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ] && [ -z "$(boost_package)" ]; then
        return
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "packages are missing, and installing them takes root or sudo: ${missing[*]} $(boost_package)"
    fi
    if ! output=$(as_root apt-get update -qq 2>&1); then
        printf '%s\n' "$output" >&2
        die "apt-get update failed"
    fi
    # Only now it is known which Boost there is to have.
    package=$(boost_package)
    [ -z "$package" ] || missing+=("$package")
    if ! simulation=$(LC_ALL=C apt-get install -s -y --no-install-recommends "${missing[@]}" 2>&1); then
        printf '%s\n' "$simulation" >&2
        die "these packages cannot be installed: ${missing[*]}"
    fi
    removed=$(printf '%s\n' "$simulation" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | paste -sd ' ')
    if [ -n "$removed" ]; then
        die "installing ${missing[*]} would remove what you have: $removed." \
            "Nothing was changed. If you can do without it: apt-get remove $removed"
    fi
    printf 'Installing %s\n' "${missing[*]}"
    if ! output=$(as_root apt-get install --no-remove -y --no-install-recommends -qq "${missing[@]}" 2>&1); then
        printf '%s\n' "$output" | tail -n 30 >&2
        die "the packages could not be installed"
    fi
}

# What a preset needs from the distribution.
packages_of() {
    echo g++ cmake ninja-build ccache python3 libssl-dev nlohmann-json3-dev libspdlog-dev catch2 libcli11-dev libflatbuffers-dev pkgconf
    # With these, answers are checked against the daemon's OpenAPI files.
    echo python3-jsonschema python3-yaml
    case "$1" in
        asan | tsan | clang) echo clang-19 libclang-rt-19-dev ;;
    esac
}

# What tests of settlement need beyond that: npm, which installs the chain. It brings hundreds of packages in Debian, hence only
# those who run these tests get it, and nobody whose npm comes from elsewhere.
npm_packages() {
    command -v npm >/dev/null || echo npm
}

# Runs a command and shows what it prints only if it fails.
quietly() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
}

# Makes build/PRESET unless it is there.
configure() {
    local folder=build/$1
    mkdir -p "$folder"
    # Ninja notices changed CMakeLists by itself, but not changed presets.
    if [ ! -f "$folder/build.ninja" ] || [ CMakePresets.json -nt "$folder/build.ninja" ]; then
        printf 'Configuring %s\n' "$folder"
        quietly "$folder/configure.log" cmake --preset "$1" || die "could not configure $folder"
    fi
}

# Builds the targets (all without) in build/PRESET. On a terminal ninja shows its progress; elsewhere only what fails.
build() {
    local folder=build/$1
    shift
    if [ -t 1 ]; then
        ninja -C "$folder" -j "$(nproc)" "$@" || die "the build failed"
    else
        quietly "$folder/build.log" ninja --quiet -C "$folder" -j "$(nproc)" "$@" || die "the build failed"
    fi
}
