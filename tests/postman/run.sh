#!/usr/bin/env bash
# Runs the Postman collection of an empty Keyfob, and imports it: `bash tests/postman/run.sh target/debug/keyfob`.
# Needed: Node 20 with npm, and Python 3.11 for a free port.
set -euo pipefail
exec </dev/null
# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

npm ci --ignore-scripts --no-audit --no-fund
start_service
add_admin root@example.com 'correct horse battery staple'
timeout 300 npm test
stop_servers
