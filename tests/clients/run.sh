#!/usr/bin/env bash
# Signs in to Keyfob with OAuth client libraries of Python and Node, and with the clients that docs/clients.md shows:
# `bash tests/clients/run.sh target/debug/keyfob`.
# It starts the service with a fresh database on a free loopback port, once for each signing algorithm and once for the
# page, and stops it.
# Needed: Node 20 with npm and Python 3.11; what else it lacks of Debian's packages it installs, as root.
set -euo pipefail
exec </dev/null

# Each character that some library percent-encodes in HTTP Basic.
readonly CLIENT=story_app.web-1
readonly START_SECONDS=30 STOP_SECONDS=30
readonly LOG_LINES=40

work=$(mktemp -d)
server_pid=
server_log=
failed=()

main() {
  [[ $# == 1 && -x $1 ]] || fail 'usage: run.sh PATH_OF_KEYFOB'
  keyfob=$(realpath "$1")
  cd "$(dirname "${BASH_SOURCE[0]}")"
  for name in ${!KEYFOB@}; do unset "$name"; done # only what is set below

  install_libraries
  test_under EdDSA # the default
  KEYFOB__TOKEN__ALGORITHM=RS256 test_under RS256
  KEYFOB__TOKEN__ACCESS_TTL_SECONDS=4 test_page 'not HTTPie'
  # It starts a Python for each call, and the token that a refresh brought must live until the last retry.
  KEYFOB__TOKEN__ACCESS_TTL_SECONDS=15 test_page HTTPie

  ((${#failed[@]} == 0)) || fail "$(printf '%s; ' "${failed[@]}")"
}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

# Stops what this run started and nothing else.
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

install_libraries() {
  local missing=()
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv) # Debian keeps it in a package of its own
  command -v go >/dev/null || missing+=(golang-go)
  command -v jq >/dev/null || missing+=(jq)
  if ((${#missing[@]} > 0)); then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/apt.log" 2>&1 ||
      { cat "$work/apt.log"; return 1; }
  fi
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r python/requirements.txt
  npm ci --prefix node --ignore-scripts --no-audit --no-fund
}

# test_under ALGORITHM: all stories against a service of their own, which signs with ALGORITHM.
test_under() {
  printf '\n=== %s\n' "$1"
  export TOKEN_ALGORITHM=$1
  start_service
  PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/pytest" -p no:cacheprovider -q -rxs python ||
    failed+=("pytest under $1")
  npm test --silent --prefix node || failed+=("node --test under $1")
  stop_service || failed+=("the service's end under $1")
}

# test_page WHICH: clients of docs/clients.md, against access tokens that expire while one looks on.
test_page() {
  printf '\n=== docs/clients.md: %s\n' "$1"
  export ACCESS_TTL_SECONDS=$KEYFOB__TOKEN__ACCESS_TTL_SECONDS
  start_service
  SERVICE_LOG=$server_log PATH=$work/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
    "$work/venv/bin/pytest" -p no:cacheprovider -q -rxs -k "$1" snippets || failed+=("pytest of docs/clients.md: $1")
  stop_service || failed+=("the service's end after docs/clients.md")
}

start_service() {
  local home port printed
  home=$(mktemp -d "$work/service.XXXXXX")
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export BASE_URL=http://127.0.0.1:$port CLIENT_ID=$CLIENT CLIENT_SECRET
  export KEYFOB__SERVER__BIND=127.0.0.1:$port KEYFOB__TOKEN__ISSUER=$BASE_URL
  export KEYFOB__DATABASE__URL=sqlite://$home/keyfob.db KEYFOB__PASSWORD__BCRYPT_COST=4

  printed=$(cd "$home" && "$keyfob" client add --id "$CLIENT") || fail 'no client could be added'
  CLIENT_SECRET=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["client_secret"])' "$printed")
  server_log=$home/log
  (cd "$home" && exec "$keyfob" serve) >"$server_log" 2>&1 &
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

main "$@"
