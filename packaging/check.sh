#!/usr/bin/env bash
# check.sh deb|tarball|chroot PACKAGES: checks what `./run package` has made. The program of each package
# must compute the same bits as build/release/bin/gladius.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=$2
work=$packages/check

fail() { echo "run: $*" >&2; exit 1; }

# same PROGRAM CONFIGS WHAT
same() {
  local expected="$work/built.sums"
  [ -e "$expected" ] || packaging/sample.sh build/release/bin/gladius configs "$work/built" >"$expected"
  packaging/sample.sh "$1" "$2" "$work/sample" | diff "$expected" - >&2 ||
    fail "$3: its program computes other bits than the built one"
  echo "run: $3: the same bits as the built program" >&2
}

check_deb() {
  local root=$work/deb deb
  LC_ALL=C.UTF-8 lintian --allow-root --fail-on error --tag-display-limit 0 "$packages"/*.deb
  for deb in "$packages"/*.deb; do
    echo "run: $(basename "$deb"): $(dpkg-deb -f "$deb" Depends)" >&2
    dpkg-deb -x "$deb" "$root"
  done
  same "$root/usr/bin/gladius" "$root/usr/share/gladius/configs" "the .deb"
  [ -e "$root/usr/share/man/man1/gladius-tokenizer-train.1.gz" ] || fail "a manual page is missing"
  bash -n "$root/usr/share/bash-completion/completions/gladius"
}

check_tarball() {
  mkdir -p "$work"
  tar -C "$work" -xf "$packages"/gladius-*.tar.gz
  local root
  root=$(echo "$work"/gladius-*)
  ls -l "$root/bin" "$root/lib/gladius" >&2
  [ -s "$root/share/doc/gladius/licences/libopenblas-openmp-dev" ] || fail "a licence is missing"
  same "$root/bin/gladius" "$root/share/gladius/configs" "the tarball"
}

# A new root of this distribution with nothing but what every one has; made once, then unpacked.
make_root() {
  local suite mirror=${GLADIUS_MIRROR:-}
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  if [ -z "$mirror" ]; then
    mirror=http://deb.debian.org/debian
    ! grep -q '^ID=ubuntu' /etc/os-release || mirror=http://archive.ubuntu.com/ubuntu
  fi
  local bare=build/bare-$suite.tar
  if [ ! -e "$bare" ]; then
    debootstrap --variant=minbase "$suite" "$1" "$mirror" >&2
    tar -C "$1" --one-file-system -cf "$bare.part" .
    mv "$bare.part" "$bare"
  else
    mkdir -p "$1"
    tar -C "$1" -xf "$bare"
  fi
  # Within another container that is refused; then the programs do without.
  mount -t proc proc "$1/proc" || echo "run: no /proc in the chroot" >&2
}

# inside ROOT COMMAND...
inside() {
  local root=$1
  shift
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
    chroot "$root" "$@"
}

# In a bare root: the tarball with nothing installed, then the program's package, then the libraries',
# with which an example is built.
check_chroot() {
  root=$(mktemp -d "$PWD/$packages/chroot.XXXX")  # for the trap
  trap 'umount "$root/proc" 2>/dev/null; rm -rf --one-file-system "$root"' EXIT
  make_root "$root"
  local there=$root/tmp
  cp -r packaging/sample.sh configs examples/line "$packages"/*.deb "$there"
  cp "$work/built.sums" "$there"
  tar -C "$root/opt" -xf "$packages"/gladius-*.tar.gz
  inside "$root" sh -euc 'cd /tmp
    /opt/gladius-*/bin/gladius --version
    ./sample.sh /opt/gladius-*/bin/gladius configs /tmp/tarball | diff built.sums -' >&2
  echo "run: the tarball runs in a bare chroot with the same bits" >&2
  inside "$root" sh -euc 'cd /tmp
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends ./gladius_*.deb
    gladius --help
    ./sample.sh gladius /usr/share/gladius/configs /tmp/deb | diff built.sums -' >&2
  echo "run: the .deb installs in a bare chroot and has the same bits" >&2
  inside "$root" sh -euc 'cd /tmp
    apt-get install -y -qq --no-install-recommends ./libgladius-dev_*.deb cmake g++ ninja-build
    printf "%s\n" "cmake_minimum_required(VERSION 3.25)" "project(line CXX)" \
      "find_package(gladius REQUIRED)" "$(cat line/CMakeLists.txt)" >CMakeLists.txt
    mv CMakeLists.txt line
    cmake -S line -B line-build -G Ninja
    cmake --build line-build
    line-build/line' >&2
  echo "run: the libraries' package builds an example in a bare chroot" >&2
}

mkdir -p "$work"
case $1 in
  deb | tarball | chroot) "check_$1" ;;
  *) fail "what is to be checked: deb, tarball or chroot" ;;
esac
