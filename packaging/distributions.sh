#!/usr/bin/env bash
# distributions.sh [NAME [COMMAND...]]: builds the sources and runs their tests in other distributions,
# each in a root of its own below $GLADIUS_ROOTS (build/distributions), which is kept and used again.
# NAME: debian-13, ubuntu-24.04, or arm64 (Debian 12, cross-compiled and run by qemu); all without one.
# COMMAND: of ./run there, in the place of its tests and the default run ("test release tensor", "distill").
# Ends with status 77 where no root could be made, so that nothing was tried.
set -euo pipefail
cd "$(dirname "$0")/.."
roots=${GLADIUS_ROOTS:-build/distributions}
debian=${GLADIUS_MIRROR:-http://deb.debian.org/debian}
ubuntu=${GLADIUS_UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu}

fail() { echo "run: $*" >&2; exit 1; }
not_tried() { echo "run: NOT TRIED: $*" >&2; exit 77; }

# inside ROOT COMMAND: by a shell there, with the caller's proxies.
inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    GLADIUS_WERROR="${GLADIUS_WERROR:-}" http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
    chroot "$1" sh -euc "$2"
}

# make_root ROOT SUITE MIRROR [OPTION...]
make_root() {
  local root=$1 suite=$2 mirror=$3
  shift 3
  [ ! -e "$root/.complete" ] || return 0
  rm -rf --one-file-system "$root"
  mkdir -p "$(dirname "$root")"
  # debootstrap has a script for each suite that it knows; they have long been the same.
  local script=/usr/share/debootstrap/scripts/sid
  debootstrap --variant=minbase "$@" "$suite" "$root" "$mirror" "$script" >&2 ||
    not_tried "no root of $suite could be made from $mirror"
  echo 'APT::Install-Recommends "false"; Acquire::Languages "none";' >"$root/etc/apt/apt.conf.d/90small"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"  # it can be made again
  touch "$root/.complete"
}

# copy_sources ROOT: what git tracks, as it is now, beside what was built of it before.
copy_sources() {
  mkdir -p "$1/gladius"
  find "$1/gladius" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
  git ls-files -z | tar --null --files-from=- -c | tar -C "$1/gladius" -x
}

# With what a program finds below /proc, /sys and /dev/shm, where that is allowed.
mount_all() {
  mounted=$1
  trap 'umount "$mounted/dev/shm" "$mounted/proc" "$mounted/sys" 2>/dev/null || true' EXIT
  umount "$1/dev/shm" "$1/proc" "$1/sys" 2>/dev/null || true
  mkdir -p "$1/dev/shm"
  mount -t proc proc "$1/proc" && mount --bind /sys "$1/sys" && mount -t tmpfs tmpfs "$1/dev/shm" ||
    echo "run: without /proc, /sys or /dev/shm" >&2
}

# try NAME [COMMAND...]
try() {
  local name=$1 root=$roots/$1 command
  shift
  [ $# -gt 0 ] || set -- test distill
  copy_sources "$root"
  mount_all "$root"
  for command in "$@"; do
    echo "run: $name: ./run $command" >&2
    inside "$root" "cd /gladius && ./run $command"
  done
  umount "$root/dev/shm" "$root/proc" "$root/sys" || true
}

try_debian-13() {
  make_root "$roots/debian-13" trixie "$debian"
  try debian-13 "$@"
}

# Debian 13 has Ubuntu's keys, which Debian 12 has not.
try_ubuntu-24.04() {
  local keys=/usr/share/keyrings/ubuntu-archive-keyring.gpg
  if [ ! -e "$keys" ]; then
    make_root "$roots/debian-13" trixie "$debian"
    inside "$roots/debian-13" "apt-get update -qq && apt-get install -y -qq ubuntu-archive-keyring" >&2
    keys=$roots/debian-13$keys
  fi
  make_root "$roots/ubuntu-24.04" noble "$ubuntu" --components=main,universe --keyring="$keys"
  try ubuntu-24.04 "$@"
}

# Compiled by a cross-compiler with the libraries of the other architecture. The emulator takes a
# minute for what the processor does in a second, so by default it is the program's --version and the
# tests of tensor/; otherwise the tests of the given folders alone.
try_arm64() {
  local root=$roots/arm64 packages="" package program=""
  [ $# -gt 0 ] || { program=gladius && set -- tensor; }
  make_root "$root" bookworm "$debian"
  for package in cpp-httplib fmt hwy openblas-openmp pcre2 ssl utf8proc gtest gmock; do
    packages+=" lib$package-dev:arm64"
  done
  inside "$root" "dpkg --add-architecture arm64
    apt-get update -qq
    apt-get install -y -qq cmake g++-aarch64-linux-gnu libcli11-dev ninja-build nlohmann-json3-dev \
      pkgconf qemu-user-static $packages" >&2 || not_tried "arm64: its packages are not to be had"
  copy_sources "$root"
  mount_all "$root"
  inside "$root" "cd /gladius
    cmake --preset arm64 -DGLADIUS_BUILD_TESTS=ON -DGLADIUS_BUILD_BENCH=OFF
    cmake --build --preset arm64 -j $(nproc) --target $program ${*/%/_tests}
    [ -z '$program' ] || qemu-aarch64-static build/arm64/bin/gladius --version
    ctest --test-dir build/arm64 --output-on-failure --no-tests=error -j $(nproc) \
      --label-regex '^($(IFS='|' && echo "$*"))\$'"
  umount "$root/dev/shm" "$root/proc" "$root/sys" || true
}

[ "$(id -u)" -eq 0 ] || fail "only root makes and enters these roots"
[ $# -gt 0 ] || set -- all
name=$1
shift
case $name in
  all) for each in debian-13 ubuntu-24.04 arm64; do "try_$each"; done ;;
  debian-13 | ubuntu-24.04 | arm64) "try_$name" "$@" ;;
  *) fail "there is no $name; debian-13, ubuntu-24.04 or arm64" ;;
esac
