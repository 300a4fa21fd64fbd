# shellcheck shell=bash
# Fresh Debian root file systems: made by debootstrap, entered by chroot in namespaces of their own, gone afterwards.
# Sourced by bin/platforms and rakelib/native; $project is set there.

# What is made, and what is downloaded, which also a later checkout uses; both may be deleted at any time.
cache=$project/tmp/platforms
downloads=${XDG_CACHE_HOME:-$HOME/.cache}/meme_captioner-platforms
# Where the project is in every root, wherever its checkout is: what is compiled knows its folder.
inside=/meme_captioner

# The mirror that this machine's apt uses, for the suite's release or its security updates.
mirror() { # mirror security|main
  apt-get indextargets --format '$(RELEASE) $(REPO_URI) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
    awk -v kind="$1" '$2 ~ /debian/ && ($1 ~ /-security$/) == (kind == "security") { sub("/*$", "", $2); print $2; exit }'
}

# What keeps roots of these suites from being made here, or nothing.
obstacle() { # obstacle SUITE...
  local suite free
  if [ "$(id -u)" -ne 0 ]; then
    echo "it needs root"
    return
  fi
  mkdir -p "$cache" "$downloads"
  # Where the lists were removed, as in images of containers, apt does not tell its mirror.
  [ -n "$(mirror main)" ] || apt-get update -qq >/dev/null 2>&1 || true
  free=$(df --output=avail --block-size=1G "$cache" | tail -n 1)
  if ! command -v debootstrap >/dev/null; then echo "debootstrap is not installed"
  elif [ -z "$(mirror main)" ]; then echo "apt knows no Debian mirror"
  elif ! unshare --mount --pid --fork --propagation private mount -t proc proc /proc 2>/dev/null; then echo "mounting is not allowed"
  elif ! { rm -f "$cache/null" && mknod "$cache/null" c 1 3 && : >"$cache/null"; } 2>/dev/null; then echo "making devices is not allowed"
  elif [ "$free" -lt 10 ]; then echo "10 GB are needed in $cache, and $free are free"
  else
    for suite; do
      /usr/lib/apt/apt-helper download-file "$(mirror main)/dists/$suite/InRelease" "$cache/InRelease" >/dev/null 2>&1 && continue
      echo "the mirror $(mirror main) cannot be reached, or does not have $suite"
      break
    done
  fi
  rm -f "$cache/null" "$cache/InRelease"
}

# The checkout's files as they are now, with the time of now, so that cargo builds what differs from an earlier build. A run takes
# this once: roots with the same toolchain share what is built of it.
take_sources() { # take_sources FILE
  (cd "$project" && git ls-files --cached --others --exclude-standard -z | xargs -0 ls -d 2>/dev/null |
    tar --create --mtime=now --owner=0 --group=0 --files-from=-) >"$1"
}

make_root() { # make_root ROOT SUITE
  local root=$1 suite=$2 archives=$downloads/$2 base=$cache/roots/base-$2 main security
  main=$(mirror main) security=$(mirror security)
  mkdir -p "$archives" "$(dirname "$root")"
  remove_root "$root"
  if [ -d "$base" ]; then
    cp --archive "$base" "$root"
  else
    # In a namespace of its own: what it mounts is gone even if it is killed.
    unshare --mount --propagation private debootstrap --variant=minbase --cache-dir="$archives" --include=ca-certificates,git \
      "$suite" "$root" "$main"
    # A run makes more than one of it.
    [ -z "${sources:-}" ] || { cp --archive "$root" "$base.new" && mv "$base.new" "$base"; }
  fi
  {
    echo "deb $main $suite main"
    case $suite in
      sid) echo "deb $main experimental main" ;;
      *)
        echo "deb $main $suite-updates main"
        [ -z "$security" ] || echo "deb $security $suite-security main"
        ;;
    esac
  } >"$root/etc/apt/sources.list"
  apt-config dump Acquire | grep -iE '^Acquire::(http|https|Check-Valid-Until|Retries)' >"$root/etc/apt/apt.conf.d/90machine" || true
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/90throwaway"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt" 2>/dev/null || true
  [ -n "${sources:-}" ] || take_sources "$cache/sources.tar"
  mkdir -p "$root$inside"
  tar --extract --no-same-owner --file "${sources:-$cache/sources.tar}" --directory "$root$inside"
}

# Runs a command line in the root; its mounts end with it. What `binds` names ("FROM TO", one a line) is bound into the root.
enter() { # enter ROOT COMMANDS
  local root=$1
  ROOT=$root INSIDE=$inside BINDS=${binds:-} unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    mount -t proc proc "$ROOT/proc"
    mount --rbind /sys "$ROOT/sys"
    mount --rbind /dev "$ROOT/dev"
    while read -r from to; do
      [ -n "$from" ] || continue
      mkdir -p "$ROOT$to"
      mount --bind "$from" "$ROOT$to"
    done <<<"$BINDS"
    # Not exec: this shell is the first process of its namespace, and takes the orphans that the specs leave.
    env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb PATH=/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" no_proxy="${no_proxy:-}" RUSTUP_AUTO_INSTALL=0 \
      CARGO_BUILD_BUILD_DIR=/build ROOT_PROJECT="$INSIDE" \
      chroot "$ROOT" bash -euo pipefail -c "cd \"\$ROOT_PROJECT\"; $1"
    exit # so that bash does not exec the line before
  ' enter "$2"
}

remove_root() { # remove_root ROOT: nothing is mounted in it outside of `enter`
  case $1 in "$cache"/roots/*) rm -rf --one-file-system "$1" ;; esac
}

# Unpacks a suite's Ruby for an architecture below /opt of a root, where `ruby` runs it: with its own C library, under qemu where
# the architecture is another one.
unpack_ruby() { # unpack_ruby ROOT ARCHITECTURE ABI SUITE+SUITE
  local root=$1 ruby=/opt/$2-ruby$3 debian=amd64 main archives=$downloads/ruby$3-$2
  local run="exec chroot $ruby /usr/bin/ruby$3"
  if [ "$2" = aarch64 ]; then
    debian=arm64
    run="exec qemu-$2 -L $ruby $ruby/usr/bin/ruby$3"
  fi
  main=$(mirror main)
  mkdir -p "$archives"
  binds="$binds
$archives /archives" enter "$root" "
    mkdir -p $ruby/lists/partial $ruby/usr/lib $ruby/usr/lib64
    ln -s usr/lib usr/lib64 $ruby/
    printf 'deb $main %s main\n' ${4//+/ } >$ruby/sources.list
    options=(-qq -o Dir::Etc::sourcelist=$ruby/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$ruby/lists
      -o APT::Architecture=$debian -o APT::Architectures::=$debian -o APT::Sandbox::User=root -o Dir::State::status=/dev/null)
    apt-get \"\${options[@]}\" update
    cd /archives
    packages=(ruby$3 libruby$3 ruby$3-dev ruby-rubygems libc6 libgcc-s1 libcrypt1 libgmp10 zlib1g libyaml-0-2 libzstd1)
    # Since trixie it is named after the width of its times.
    apt-cache \"\${options[@]}\" show libssl3t64 >/dev/null 2>&1 && packages+=(libssl3t64) || packages+=(libssl3)
    apt-get \"\${options[@]}\" download \"\${packages[@]}\" || { rm -f *.deb; exit 1; }
    for package in \"\${packages[@]}\"; do
      dpkg --fsys-tarfile \"\$(ls -t \${package}_*.deb | head -n 1)\" | tar --extract --keep-directory-symlink --directory $ruby
    done
    rm -rf $ruby/lists
    printf '%s\n' '#!/bin/sh' '$run \"\$@\"' >$ruby/ruby
    chmod 755 $ruby/ruby
    $ruby/ruby -v"
}
