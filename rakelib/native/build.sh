#!/usr/bin/env bash
# Builds the libraries of the precompiled gems in a fresh root of trixie, with Debian's Rust: one for each architecture and each
# Ruby. The Rubies are Debian's packages, unpacked and not installed, so that those of three suites and two architectures lie
# side by side; they only say how they were configured, and bring their headers.
#
#   build.sh FOLDER ARCHITECTURE...     x86_64 and aarch64; writes FOLDER/ARCHITECTURE/ABI/meme_captioner.so
set -euo pipefail
export project
project=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
cd "$project"
PATH="$PATH:/usr/sbin:/sbin"
. spec/platforms/root.sh
rubies=(3.1:bookworm 3.3:trixie 3.4:sid+experimental)

wanted=$1
shift
reason=$(obstacle trixie)
if [ -n "$reason" ]; then
  echo "precompiled gems cannot be built here: $reason" >&2
  exit 1
fi

root=$cache/roots/native
trap 'remove_root "$root"' EXIT
make_root "$root" trixie >"$cache/native.log" 2>&1 || { tail -n 20 "$cache/native.log" >&2; exit 1; }
mkdir -p "$cache/build/trixie"
binds="$downloads/trixie /var/cache/apt/archives
${CARGO_HOME:-$HOME/.cargo}/registry /root/.cargo/registry
$cache/build/trixie /build"

packages="rustc-web cargo-web gcc libc6-dev libclang-dev binutils qemu-user"
case " $* " in
  *" aarch64 "*)
    enter "$root" 'dpkg --add-architecture arm64'
    packages+=" libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    ;;
esac
enter "$root" "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages" \
  >"$cache/native.log" 2>&1 || { tail -n 20 "$cache/native.log" >&2; exit 1; }

for architecture; do
  for ruby in "${rubies[@]}"; do
    unpack_ruby "$root" "$architecture" "${ruby%:*}" "${ruby#*:}"
    enter "$root" "rakelib/native/library.sh $architecture ${ruby%:*}"
    mkdir -p "$wanted/$architecture/${ruby%:*}"
    cp "$root/tmp/meme_captioner.so" "$wanted/$architecture/${ruby%:*}/meme_captioner.so"
  done
done
