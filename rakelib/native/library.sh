#!/usr/bin/env bash
# Builds one library in the root that build.sh has made: library.sh ARCHITECTURE ABI writes /tmp/meme_captioner.so.
set -euo pipefail
architecture=$1 ruby=/opt/$1-ruby$2 abi=$2.0
triplet=$architecture-linux-gnu
newest_glibc=2.34

# Where Ruby says that its headers are.
for folder in "ruby-$abi" "$triplet/ruby-$abi"; do
  mkdir -p "$(dirname "/usr/include/$folder")"
  ln -sfn "$ruby/usr/include/$folder" "/usr/include/$folder"
done
strip=strip
target=(--target-dir "/tmp/target-$2")
if [ "$architecture" != "$(uname -m)" ]; then
  target+=(--target "$architecture-unknown-linux-gnu")
  strip=$triplet-strip
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$triplet-gcc
  export BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu="--target=$triplet -I/usr/$triplet/include"
fi
RUBY=$ruby/ruby cargo rustc --release --locked --package meme_captioner --lib "${target[@]}"

library=/tmp/meme_captioner.so
cp "$(find "/tmp/target-$2" -path "*$([ ${#target[@]} -gt 2 ] && echo "$architecture-unknown")*/release/libmeme_captioner.so")" $library
$strip --strip-unneeded $library
needed=$(objdump -T $library | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
if [ "$(printf '%s\n' "GLIBC_$newest_glibc" "$needed" | sort -V | tail -n 1)" != "GLIBC_$newest_glibc" ]; then
  echo "the library for $architecture needs $needed, newer than GLIBC_$newest_glibc" >&2
  exit 1
fi
echo "$architecture, Ruby $2: $(stat -c %s $library) bytes, $needed, $(sha256sum <$library | cut -c1-16)"
