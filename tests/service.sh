# For the scripts of the folders here, to be sourced: a Keyfob of their own, on a fresh database and a free loopback port.
# shellcheck shell=bash

readonly START_SECONDS=30 STOP_SECONDS=30 LOG_LINES=40

work=$(mktemp -d)
server_pid=
server_log=

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

# Stops what was started here and nothing else.
finish() {
  local status=$?
  trap - EXIT
  if [[ -n $server_pid ]]; then kill -KILL "$server_pid" 2>/dev/null || true; fi
  if ((status != 0)) && [[ -n $server_log ]]; then
    printf '\nlast lines of the service:\n' >&2
    tail -n "$LOG_LINES" "$server_log" >&2 || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# make_venv REQUIREMENTS: what a requirements file names, in $work/venv.
make_venv() {
  if ! python3 -c 'import ensurepip' 2>/dev/null; then # Debian keeps it in a package of its own
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
  fi
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$1"
}

# start_service KEYFOB [KEYFOB__KEY=VALUE]...: exports BASE_URL.
start_service() {
  local keyfob=$1 home port name
  for name in ${!KEYFOB@}; do unset "$name"; done # only what is set below
  home=$(mktemp -d "$work/service.XXXXXX")
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export BASE_URL=http://127.0.0.1:$port
  server_log=$home/log
  (
    export KEYFOB__SERVER__BIND=127.0.0.1:$port KEYFOB__TOKEN__ISSUER=$BASE_URL KEYFOB__PASSWORD__BCRYPT_COST=4 "${@:2}"
    cd "$home" && exec "$keyfob" serve
  ) >"$server_log" 2>&1 &
  server_pid=$!
  local tries
  for ((tries = 0; tries < START_SECONDS * 10; tries++)); do
    if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    kill -0 "$server_pid" 2>/dev/null || fail 'the service ended at its start'
    sleep 0.1
  done
  fail "the service does not listen within $START_SECONDS s"
}

# It must end by itself, with status 0.
stop_service() {
  local tries pid=$server_pid
  kill -TERM "$pid" || true # it may have ended already, with a status that tells
  for ((tries = 0; tries < STOP_SECONDS * 10; tries++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if kill -KILL "$pid" 2>/dev/null; then echo "the service still runs $STOP_SECONDS s after SIGTERM" >&2; fi
  server_pid=
  wait "$pid"
}
