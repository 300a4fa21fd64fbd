# shellcheck shell=bash
# Steps of bin/platforms: each has a log, a result and a bound on its time. Sourced by bin/platforms.

declare -A result spent
step_process=
failures=() skipped=()
# Nothing here takes this long on a machine that is merely busy.
hangs=$((40 * 60))
# What has begun when `--minutes` are over may end; it is given so long.
grace=$((8 * 60))

# Runs a function or command of a row with its output in a log, of which the end is shown if it fails.
step() { # step NAME COMMAND...
  local key=$suite.$1 name="$suite $1" log=$cache/logs/$suite-$1.log started=$SECONDS bound status=0 seconds
  shift
  if [ -n "$minutes" ] && [ "$SECONDS" -ge $((minutes * 60)) ]; then
    left_out "$key" "not run: no time left"
    return 1
  fi
  bound=$(bound)
  # A shell of its own, because bash ignores `set -e` in what `if` runs. Waited for, so that a signal ends this script at once.
  {
    TIMEFORMAT='%U %S'
    time {
      timeout --signal KILL "$bound" bash -euo pipefail -c '. spec/platforms/root.sh; . spec/platforms/row.sh; "$@"' step "$@" \
        >"$log" 2>&1 </dev/null &
      step_process=$!
      wait "$step_process" || status=$?
    }
  } 2>"$cache/logs/times"
  step_process=
  seconds=$((SECONDS - started))
  spent[$suite]=$((${spent[$suite]:-0} + seconds))
  if [ $status -eq 0 ]; then
    result[$key]="$seconds s$(counted "$log")"
    echo "$name: ${result[$key]} ($(awk '{ cpu = $1 + $2 } END { printf "%d", cpu }' "$cache/logs/times") s of processor time)"
    return
  fi
  # Of the examples that have ended none may have failed.
  if [ $status -eq 137 ] && [ "$bound" -lt $hangs ] && [ $seconds -ge "$bound" ] && ! grep -q '(FAILED - ' "$log"; then
    left_out "$key" "not finished: no time left"
    return 1
  fi
  result[$key]=FAILED failures+=("$name")
  echo "$name: FAILED after $seconds s; the end of $log:"
  tail -n 60 "$log"
  return 1
}

# Seconds that the step which begins now has.
bound() {
  local left=$hangs
  [ -z "$minutes" ] || left=$((minutes * 60 + grace - SECONDS))
  echo $((left < hangs ? left : hangs))
}

left_out() { # left_out KEY WHY
  result[$1]=$2
  skipped+=("${1/./ }")
  echo "${1/./ }: $2"
}

# Ends the step that runs with everything that it has started.
end_step() {
  [ -z "$step_process" ] || kill -KILL -- "-$step_process" 2>/dev/null || true
}

counted() { sed -n 's/^\([0-9]* examples, 0 failures.*\)/, \1/p' "$1" | tail -n 1; }
