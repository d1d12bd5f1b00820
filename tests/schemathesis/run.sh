#!/usr/bin/env bash
# Lets schemathesis make requests out of Keyfob's OpenAPI document, good ones and bad ones, and hold every answer against
# it: `bash tests/schemathesis/run.sh target/debug/keyfob`.
# Needed: Python 3.11.
set -euo pipefail
exec </dev/null
[[ $# == 1 && -x $1 ]] || { echo 'usage: run.sh PATH_OF_KEYFOB' >&2; exit 1; }
keyfob=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/service.sh
source ../service.sh

main() {
  make_venv requirements.txt
  # With the limits on, most of what is made here would only ever see 429.
  start_service "$keyfob" KEYFOB__RATE_LIMIT__ENABLED=false
  add_client
  echo '=== with a token'
  run_schemathesis account
  echo '=== without'
  run_schemathesis nobody
  stop_service
}

# For /introspect, which answers confidential clients only.
add_client() {
  local printed
  printed=$(cd "$(dirname "$server_log")" && "$keyfob" client add --id schemathesis) || fail 'no client could be added'
  CLIENT_SECRET=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["client_secret"])' "$printed")
  export CLIENT_SECRET
}

# run_schemathesis SENDER: who sends the requests, see hooks.py.
run_schemathesis() {
  SENDER=$1 PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=$work/hypothesis timeout 300 \
    "$work/venv/bin/st" --no-color --config-file schemathesis.toml run "$BASE_URL/openapi.json"
}

main
