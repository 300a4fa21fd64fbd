# shellcheck shell=bash
# One row of bin/platforms: what a suite of Debian shows, from the bare root to the specs. Sourced by bin/platforms, and by each
# step, which is a shell of its own.

# The stages of a row, what matters most first. All suites have had one before the next begins.
stages=(fresh foreign packed rails specs)

choose_row() { # choose_row SUITE
  export suite=$1 root=$cache/roots/$1
  binds=$(shared)$'\n'$(toolchain)
  export binds
}

fresh() {
  binds=$(shared) step root bare_root || return 0
  binds=$(shared) step refusals enter "$root" "$(refusals)" || true
  precompiled
  step caption enter "$root" 'bin/caption' || return 0
  usable[$suite]=yes
  step captions equal_captions || true
}

foreign() {
  if [ "$(find "$cache/results/libraries" -mindepth 1 -maxdepth 1 | wc -l)" -lt 2 ]; then
    left_out "$suite.foreign" "not run: no other Ruby's library is here"
    return
  fi
  step foreign foreign_libraries || true
}

packed() {
  step packed enter "$root" 'rake package:smoke' || true
}

rails() {
  step setup enter "$root" 'bin/setup test' || return 0
  [ -z "$gems" ] || step gems more_gems || true
  # Which example hangs, if one does, is in the log.
  step rails enter "$root" 'SPEC_OPTS="--format documentation" rake spec:rails' || true
}

specs() {
  [[ ${result[$suite.setup]:-} != *' s' ]] || step specs enter "$root" 'SPEC_OPTS="--format documentation" rake spec' || true
}

# In place of all of these, with --test.
whole_test() {
  binds=$(shared) step root bare_root || return 0
  step test enter "$root" 'bin/test' || true
}

table() {
  local suite what
  echo
  echo "| platform | precompiled gem | bin/caption | same captions | foreign libraries refused | gem from source | Rails specs | specs | minutes |"
  echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
  for suite in "${suites[@]}"; do
    printf '| %s, %s' "$suite" "$(cat "$cache/results/$suite.versions" 2>/dev/null || echo "not made")"
    for what in precompiled caption captions foreign packed rails specs; do printf ' | %s' "${result[$suite.$what]:--}"; done
    printf ' | %s |\n' $(((${spent[$suite]:-0} + 59) / 60))
  done
}

# Here and in what follows: what single steps do.

# With the repository that a clone would have.
bare_root() {
  make_root "$root" "$suite"
  mkdir -p "$(build_folder)"
  # So that bindgen runs with the root's libclang and headers, though this machine's own build has been here.
  echo "another root's" >"$(build_folder)/ruby"
  enter "$root" 'git init --quiet && git add --all'
}

# bookworm is tried with this machine's rustup, as the README has it, and shares its build; the others with Debian's Rust.
with_rustup() { [ "$suite" = bookworm ] && [ -d "${RUSTUP_HOME:-$HOME/.rustup}/toolchains" ]; }

build_folder() { if with_rustup; then echo "$project/target"; else echo "$cache/build/$suite"; fi; }

# What roots share with this machine: downloads, and one build of the dependencies for each toolchain.
shared() {
  mkdir -p "$downloads/$suite" "$downloads/npm" "${CARGO_HOME:-$HOME/.cargo}/registry"
  echo "$downloads/$suite /var/cache/apt/archives"
  echo "$downloads/npm /root/.npm"
  echo "${CARGO_HOME:-$HOME/.cargo}/registry /root/.cargo/registry"
}

toolchain() {
  if with_rustup; then
    echo "${RUSTUP_HOME:-$HOME/.rustup} /root/.rustup"
    echo "${CARGO_HOME:-$HOME/.cargo}/bin /root/.cargo/bin"
  fi
  echo "$(build_folder) /build"
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

# The precompiled gem where there is neither a compiler nor cargo nor a header, if `rake package:native` has built one: with the
# suite's Ruby, and with 3.4 where Debian has it beside that.
precompiled() {
  if ! compgen -G "$project/pkg/meme_captioner-*-x86_64-linux.gem" >/dev/null; then
    left_out "$suite.precompiled" "not run: \`rake package:native\` has not been run"
    return
  fi
  binds=$(shared) step ruby enter "$root" \
    'apt-get update -qq
    newer=$(apt-cache show ruby3.4 2>/dev/null | sed -n "s/^Package: //p" | head -n 1) || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ruby $newer' || return 0
  binds=$(shared) step precompiled precompiled_gem || true
}

precompiled_gem() {
  local captions
  cp "$project"/pkg/meme_captioner-*-x86_64-linux.gem "$root/tmp/"
  enter "$root" '
    if command -v cc || command -v cargo || compgen -G "/usr/include/ruby*"; then exit 1; fi
    export GEM_HOME=/tmp/gems
    script=$PWD/spec/platforms/captions.rb meme=$PWD/data/memes/meme-04.jpg
    cd /tmp
    for ruby in /usr/bin/ruby3.*; do
      $ruby -v
      time $ruby -S gem install --local --no-document /tmp/meme_captioner-*.gem
      time $ruby -w -e "require %q(meme_captioner); puts MemeCaptioner.select(%q(Florence-2-tiny)).extract(ARGV[0])" "$meme"
      $ruby /tmp/gems/bin/meme_captioner version
      version=${ruby#/usr/bin/ruby}
      $ruby -e "require %q(meme_captioner); MemeCaptioner::Native; puts \$LOADED_FEATURES" | grep "/$version/meme_captioner.so"
      $ruby -W "$script" >"/tmp/captions-$version"
      rm -rf /tmp/gems
    done
    # The Ruby of the suite stays.
    case $(readlink -f /usr/bin/ruby) in
      *3.4) ;;
      *) apt-get purge -y -qq ruby3.4 libruby3.4 2>/dev/null || true ;;
    esac'
  for captions in "$root"/tmp/captions-*; do
    [ "$(wc -l <"$captions")" -gt 50 ]
    cp "$captions" "$cache/results/$suite-gem${captions##*-}.captions"
  done
}

equal_captions() {
  local captions=$cache/results/$suite.captions other
  enter "$root" 'ruby -v; ruby -W -I lib spec/platforms/captions.rb >/tmp/captions'
  enter "$root" 'echo "Ruby $(ruby -e "print RUBY_VERSION"), $(cargo --version | cut -d" " -f1,2)"' >"$cache/results/$suite.versions"
  cp "$root/tmp/captions" "$captions"
  cp --recursive --no-clobber "$root$inside"/lib/meme_captioner/[0-9]* "$cache/results/libraries/"
  [ "$(wc -l <"$captions")" -gt 50 ]
  for other in "$cache"/results/*.captions; do cmp "$captions" "$other"; done
}

# Other Rubies' libraries, of the precompiled gem and of the other rows, are refused, with the way out.
foreign_libraries() {
  local own other tried=0
  own=$(enter "$root" 'ruby -e "print RUBY_VERSION[/\d+\.\d+/]"')
  for other in "$cache"/results/libraries/*; do
    [ "${other##*/}" != "$own" ] || continue
    cp "$other/meme_captioner.so" "$root/tmp/foreign.so"
    enter "$root" '
      rm -rf /tmp/foreign; cp -r lib /tmp/foreign
      for library in /tmp/foreign/meme_captioner/*/meme_captioner.so; do cp /tmp/foreign.so "$library"; done
      said=$(ruby -I /tmp/foreign -r meme_captioner -e "MemeCaptioner::Native" 2>&1) && exit 1
      echo "$said"
      grep -q "is for Ruby '"${other##*/}"', but this is Ruby '"$own"'.*LoadError" <<<"$said"
      grep -q "rake compile" <<<"$said"'
    tried=$((tried + 1))
  done
  [ $tried -gt 0 ]
}

# Gems as files: nothing is looked up, so what they depend on is there or among them. Those that compile find Debian's libraries.
more_gems() {
  cp "$gems"/*.gem "$root/tmp/"
  enter "$root" '
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends make pkg-config libsqlite3-dev
    gem install --local --ignore-dependencies --no-document --force /tmp/*.gem -- --enable-system-libraries
    rm /tmp/*.gem
    gem list --local'
}
