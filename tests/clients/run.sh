#!/usr/bin/env bash
# Signs in to Keyfob with OAuth client libraries of Python and Node, and with the clients that docs/clients.md shows:
# `bash tests/clients/run.sh target/debug/keyfob`.
# It starts the service with a fresh database on a free loopback port, once for each signing algorithm and once for the
# page, and stops it.
# Needed: Node 20 with npm and Python 3.11; what else it lacks of Debian's packages it installs, as root.
set -euo pipefail
exec </dev/null
# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

# Each character that some library percent-encodes in HTTP Basic.
readonly CLIENT=story_app.web-1
failed=()

main() {
  install_libraries
  test_under EdDSA # the default
  test_under RS256 KEYFOB__TOKEN__ALGORITHM=RS256
  test_page 'not HTTPie' 6
  # It starts a Python for each call, and the token that a refresh brought must live until the last retry.
  test_page HTTPie 15

  ((${#failed[@]} == 0)) || fail "$(printf '%s; ' "${failed[@]}")"
}

install_libraries() {
  install_missing go golang-go jq jq
  make_venv python/requirements.txt
  npm ci --prefix node --ignore-scripts --no-audit --no-fund
}

# test_under ALGORITHM [KEYFOB__KEY=VALUE]...: all stories against a service of their own, which signs with ALGORITHM.
test_under() {
  printf '\n=== %s\n' "$1"
  export TOKEN_ALGORITHM=$1
  start_service "${@:2}"
  add_client "$CLIENT"
  PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/pytest" -p no:cacheprovider -q -rxs python ||
    failed+=("pytest under $1")
  npm test --silent --prefix node || failed+=("node --test under $1")
  stop_servers || failed+=("the service's end under $1")
}

# test_page WHICH SECONDS: clients of docs/clients.md, against access tokens that live so long and expire while one looks on.
test_page() {
  printf '\n=== docs/clients.md: %s\n' "$1"
  start_service KEYFOB__TOKEN__ACCESS_TTL_SECONDS="$2"
  ACCESS_TTL_SECONDS=$2 SERVICE_LOG=$work/keyfob.log PATH=$work/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
    "$work/venv/bin/pytest" -p no:cacheprovider -q -rxs -k "$1" snippets || failed+=("pytest of docs/clients.md: $1")
  stop_servers || failed+=("the service's end after docs/clients.md")
}

main
