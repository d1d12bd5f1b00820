#!/usr/bin/env bash
# Lets schemathesis make requests out of Keyfob's OpenAPI document, good ones and bad ones, and hold every answer against
# it: `bash tests/schemathesis/run.sh target/debug/keyfob`.
# Needed: Python 3.11.
set -euo pipefail
exec </dev/null
# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

main() {
  make_venv requirements.txt
  # With the limits on, most of what is made here would only ever see 429.
  start_service KEYFOB__RATE_LIMIT__ENABLED=false
  add_client schemathesis # for /introspect, which answers confidential clients only
  echo '=== with a token'
  run_schemathesis account
  echo '=== without'
  run_schemathesis nobody
  stop_servers
}

# run_schemathesis SENDER: who sends the requests, see hooks.py.
run_schemathesis() {
  SENDER=$1 PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=$work/hypothesis timeout 300 \
    "$work/venv/bin/st" --no-color --config-file schemathesis.toml run "$BASE_URL/openapi.json"
}

main
