#!/usr/bin/env bash
# Installs the precompiled gem for ARM with Ruby's own package for ARM, under qemu, and captions: arm.sh GEM.
# Captions of a few memes are the same as this machine's. In a fresh root without a compiler; needs what build.sh needs.
set -euo pipefail
export project
project=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
cd "$project"
PATH="$PATH:/usr/sbin:/sbin"
. spec/platforms/root.sh

reason=$(obstacle trixie)
if [ -n "$reason" ]; then
  echo "the gem for ARM cannot be tried here: $reason" >&2
  exit 1
fi
root=$cache/roots/arm
trap 'remove_root "$root"' EXIT
make_root "$root" trixie >"$cache/arm.log" 2>&1 || { tail -n 20 "$cache/arm.log" >&2; exit 1; }
binds="$downloads/trixie /var/cache/apt/archives"
enter "$root" "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-user" \
  >"$cache/arm.log" 2>&1 || { tail -n 20 "$cache/arm.log" >&2; exit 1; }
cp "$1" "$root/tmp/meme_captioner.gem"
for ruby in 3.1:bookworm 3.3:trixie 3.4:sid+experimental; do
  version=${ruby%:*}
  unpack_ruby "$root" aarch64 "$version" "${ruby#*:}"
  enter "$root" "
    if command -v cc || command -v cargo; then exit 1; fi
    export GEM_HOME=/tmp/gems GEM_PATH=/tmp/gems MEME_CAPTIONER_CACHE_DIR=/tmp/models
    cd /tmp
    time /opt/aarch64-ruby$version/ruby -S /opt/aarch64-ruby$version/usr/bin/gem$version install --local --no-document meme_captioner.gem
    time /opt/aarch64-ruby$version/ruby -w -r meme_captioner -e '
      name = MemeCaptioner::Catalogue.bundled.first.name
      ARGV.each { |meme| puts MemeCaptioner.select(name).extract(meme) }' $inside/data/memes/meme-0[45].* >/tmp/captions
    cat /tmp/captions
    rm -rf /tmp/gems"
  ruby -I lib -r meme_captioner -e 'name = MemeCaptioner::Catalogue.bundled.first.name
    ARGV.each { |meme| puts MemeCaptioner.select(name).extract(meme) }' \
    data/memes/meme-0[45].* | cmp - "$root/tmp/captions"
  echo "aarch64, Ruby $version: installed, and the captions are this machine's"
done
