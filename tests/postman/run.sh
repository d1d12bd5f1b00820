#!/usr/bin/env bash
# Runs the Postman collection of an empty Keyfob, and imports it: `bash tests/postman/run.sh target/debug/keyfob`.
# Needed: Node 20 with npm, and Python 3.11 for a free port.
set -euo pipefail
exec </dev/null
[[ $# == 1 && -x $1 ]] || { echo 'usage: run.sh PATH_OF_KEYFOB' >&2; exit 1; }
keyfob=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/service.sh
source ../service.sh

npm ci --ignore-scripts --no-audit --no-fund
start_service "$keyfob"
timeout 300 npm test
stop_service
