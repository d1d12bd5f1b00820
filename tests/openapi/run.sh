#!/usr/bin/env bash
# Reads Keyfob's OpenAPI document as others do: linters, a validator, and generators of clients, of which those that can
# run here then talk to the service. `bash tests/openapi/run.sh target/debug/keyfob`.
# Needed: Node 20 with npm, and Python 3.11.
set -euo pipefail
exec </dev/null
# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

main() {
  npm ci --ignore-scripts --no-audit --no-fund
  make_venv requirements.txt
  export PATH=$work/venv/bin:$PATH
  "$keyfob" openapi >"$work/openapi.json"
  # The linters know the document by this name.
  rm -rf generated && mkdir generated
  cp "$work/openapi.json" generated/openapi.json

  echo '=== the vendored Redoc is the published one'
  compare_redoc
  echo '=== Redocly, Spectral, openapi-spec-validator'
  lint
  echo '=== openapi-generator: Kotlin, Swift, Dart'
  local language
  for language in kotlin swift6 dart; do generate_with_openapi_generator "$language"; done

  start_service
  echo '=== openapi-typescript and openapi-fetch'
  npm run --silent generate -- generated/openapi.json --redocly openapi-typescript.yaml --output generated/api.ts 2>&1 |
    tee "$work/typescript.log"
  if grep -q '⚠' "$work/typescript.log"; then fail 'openapi-typescript warns'; fi
  npm run --silent compile
  timeout 60 npm run --silent round-trip
  echo '=== openapi-python-client'
  generate_python
  PYTHONPATH=$work/python PYTHONDONTWRITEBYTECODE=1 timeout 60 python round_trip.py
  stop_servers
}

# As src/docs/redoc/README.md says.
compare_redoc() {
  local vendored=../../src/docs/redoc package=$work/redoc/package
  mkdir "$work/redoc"
  npm pack --silent --pack-destination "$work/redoc" redoc@2.5.4
  tar -xzf "$work/redoc/redoc-2.5.4.tgz" -C "$work/redoc"
  sed -E -e 's|e\?n\.createElement\("img",\{alt:"redocly logo"[^}]*\}\):null|null|' -e '/^\/\/# sourceMappingURL=/d' \
    "$package/bundles/redoc.standalone.js" | cmp - "$vendored/redoc.standalone.js"
  cmp "$package/bundles/redoc.standalone.js.LICENSE.txt" "$vendored/redoc.standalone.js.LICENSE.txt"
  cmp "$package/LICENSE" "$vendored/LICENSE"
}

# Redocly's warnings leave its status at 0, so its report is read.
lint() {
  npm run --silent redocly -- --format=json generated/openapi.json >"$work/redocly.json" 2>"$work/redocly.log" || true
  jq -r '.problems[] | select(.ignored | not) | "\(.severity) \(.ruleId): \(.message) \(.location[0].pointer // "")"' "$work/redocly.json"
  jq -e '[.problems[] | select(.ignored | not)] | length == 0' "$work/redocly.json" >/dev/null || fail 'Redocly finds faults'
  npm run --silent spectral -- generated/openapi.json
  openapi-spec-validator generated/openapi.json
}

# It may only warn that its support for OpenAPI 3.1 is young, which is not about this document, and that it gives the parameter
# `type` another name, since Swift reserves that word.
generate_with_openapi_generator() {
  local language=$1 log=$work/$1.log
  timeout 120 openapi-generator-cli generate -i generated/openapi.json -g "$language" -o "$work/$language" >"$log" 2>&1 ||
    { cat "$log"; fail "openapi-generator fails for $language"; }
  if grep -E 'WARN|ERROR' "$log" | grep -vE 'OpenAPI 3.1 support is still in beta|Type \(reserved word\) cannot be used as model name'; then fail "warnings for $language"; fi
  printf '%s: %d files\n' "$language" "$(find "$work/$language" -type f | wc -l)"
}

generate_python() {
  timeout 120 openapi-python-client generate --path generated/openapi.json --meta none \
    --output-path "$work/python/keyfob_client" --fail-on-warning >"$work/python.log" 2>&1 ||
    { cat "$work/python.log"; fail 'openapi-python-client fails or warns'; }
  if grep -i warning "$work/python.log"; then fail 'openapi-python-client warns'; fi
}

main
