# shellcheck shell=bash
# One row of bin/platforms: what a suite of Debian shows, from the bare root to the Rails specs. Sourced by bin/platforms.

row() { # row SUITE
  row_failed=0
  export suite=$1 root=$cache/roots/$1 binds= project cache gems
  declare -gA result=([precompiled]=- [packed]=- [caption]=- [specs]=- [rails]=-)
  local started=$SECONDS
  if step root make_root "$root" "$suite"; then
    binds=$(shared)
    step refusals enter "$root" "$(refusals)"
    precompiled
    use_toolchain
    step caption enter "$root" 'bin/caption'
    step captions equal_captions
    step foreign foreign_libraries
    if [ -n "$whole_test" ]; then
      step specs enter "$root" 'bin/test'
    else
      step packed enter "$root" 'rake package:smoke'
      step setup enter "$root" 'bin/setup test'
      [ -z "$gems" ] || step gems more_gems
      step specs enter "$root" 'rake spec'
      step rails enter "$root" 'rake spec:rails'
    fi
    tidy_archives
  fi
  [ "${result[caption]} ${result[captions]:-}" != "${result[caption]} FAILED" ] || result[caption]=FAILED
  echo "| $suite, $(versions) | precompiled ${result[precompiled]}, from source ${result[packed]} | ${result[caption]} |" \
    "${result[specs]} | ${result[rails]} | $((SECONDS - started)) |" >"$cache/results/$suite.row"
  return $row_failed
}

# Runs one step with its output in a log, of which the end is shown if it fails.
step() { # step NAME COMMAND...
  local name=$1 log=$cache/logs/$suite-$1.log started=$SECONDS
  shift
  # A shell of its own, because bash ignores `set -e` in what `if` runs.
  if bash -euo pipefail -c '. spec/platforms/root.sh; . spec/platforms/row.sh; "$@"' step "$@" >"$log" 2>&1 </dev/null; then
    result[$name]="$((SECONDS - started)) s$(counted "$log")"
    echo "$suite $name: ${result[$name]}"
  else
    result[$name]=FAILED row_failed=1
    echo "$suite $name: FAILED after $((SECONDS - started)) s; the end of $log:"
    tail -n 40 "$log"
    return 1
  fi
}

counted() { sed -n 's/^\([0-9]* examples, 0 failures.*\)/, \1/p' "$1" | tail -n 1; }

versions() {
  cat "$cache/results/$suite.versions" 2>/dev/null || echo "not made"
}

# What roots share with this machine: downloads, and one build of the dependencies for each toolchain.
shared() {
  mkdir -p "$downloads/$suite" "$downloads/npm" "$cache/build/$suite" "${CARGO_HOME:-$HOME/.cargo}/registry"
  echo "$downloads/$suite /var/cache/apt/archives"
  echo "$downloads/npm /root/.npm"
  echo "${CARGO_HOME:-$HOME/.cargo}/registry /root/.cargo/registry"
}

# bookworm is tried with this machine's rustup, as the README has it, and shares its build; the others with Debian's Rust.
use_toolchain() {
  local rustup=${RUSTUP_HOME:-$HOME/.rustup} build=$cache/build/$suite
  if [ "$suite" = bookworm ] && [ -d "$rustup/toolchains" ]; then
    binds+=$'\n'"$rustup /root/.rustup"$'\n'"${CARGO_HOME:-$HOME/.cargo}/bin /root/.cargo/bin"
    build=$project/target
  fi
  mkdir -p "$build"
  binds+=$'\n'"$build /build"
}

# The bare root lacks all that is needed: a user without rights is told everything at once, and so is one without a network.
refusals() {
  cat <<'INSIDE'
if command -v cc || command -v cargo || command -v ruby; then exit 1; fi
said=$(setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent bin/setup 2>&1) && exit 1
echo "$said"
grep -q 'missing: ruby ruby-dev rake gcc libc6-dev libclang-dev, Rust 1' <<<"$said"
grep -q 'sudo apt-get install --no-install-recommends ruby' <<<"$said"
said=$(unshare --net bin/caption 2>&1) && exit 1
echo "$said"
grep -q 'is there a network' <<<"$said"
INSIDE
}

# The precompiled gem where there is neither a compiler nor cargo nor a header, if `rake package:native` has built one.
precompiled() {
  local gem
  gem=$(ls "$project"/pkg/meme_captioner-*-x86_64-linux.gem 2>/dev/null | tail -n 1)
  if [ -z "$gem" ]; then
    echo "$suite precompiled: skipped, \`rake package:native\` has not been run"
    return
  fi
  cp "$gem" "$root/tmp/"
  step ruby enter "$root" 'apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ruby' || return 0
  step precompiled enter "$root" '
    if command -v cc || command -v cargo || compgen -G "/usr/include/ruby*"; then exit 1; fi
    export GEM_HOME=/tmp/gems
    cd /tmp
    time gem install --local --no-document /tmp/meme_captioner-*.gem
    time ruby -w -e "require %q(meme_captioner); puts MemeCaptioner.select(%q(Florence-2-tiny)).extract(ARGV[0])" '"$project"'/data/memes/meme-04.jpg
    /tmp/gems/bin/meme_captioner version
    rm -rf /tmp/gems' || true
}

equal_captions() {
  local captions=$cache/results/$suite.captions
  enter "$root" 'ruby -v; ruby -W -I lib spec/platforms/captions.rb >/tmp/captions'
  enter "$root" 'echo "Ruby $(ruby -e "print RUBY_VERSION"), $(cargo --version | cut -d" " -f1,2)"' >"$cache/results/$suite.versions"
  cp "$root/tmp/captions" "$captions"
  cp "$root$project"/lib/meme_captioner/*/meme_captioner.so "$cache/results/$suite.so"
  [ "$(wc -l <"$captions")" -gt 50 ]
  local other
  for other in "$cache"/results/*.captions; do cmp "$captions" "$other"; done
}

# Another Ruby's library is refused, with the way out.
foreign_libraries() {
  local other
  for other in "$cache"/results/*.so; do
    [ "$other" != "$cache/results/$suite.so" ] || continue
    cp "$other" "$root/tmp/foreign.so"
    enter "$root" '
      rm -rf /tmp/foreign; cp -r lib /tmp/foreign
      for library in /tmp/foreign/meme_captioner/*/meme_captioner.so; do cp /tmp/foreign.so "$library"; done
      said=$(ruby -I /tmp/foreign -r meme_captioner -e "MemeCaptioner::Native" 2>&1) && exit 1
      echo "$said"
      grep -q "is for Ruby .*, but this is Ruby .*LoadError" <<<"$said"
      grep -q "rake compile" <<<"$said"'
  done
}

# Gems as files: nothing is looked up, so what they depend on is there or among them.
more_gems() {
  cp "$gems"/*.gem "$root/tmp/"
  enter "$root" 'gem install --local --ignore-dependencies --no-document --force /tmp/*.gem; rm /tmp/*.gem; gem list --local'
}

# Of the packages, what is still to be had.
tidy_archives() {
  enter "$root" 'apt-get autoclean -qq' >/dev/null 2>&1 || true
  find "$downloads" -name '*.deb' -atime +60 -mtime +60 -delete
}
