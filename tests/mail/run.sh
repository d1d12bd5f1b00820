#!/usr/bin/env bash
# Mail through a real SMTP server, with every failure: `bash tests/mail/run.sh target/debug/keyfob`. Needed: Python 3.11,
# and PostgreSQL at POSTGRES_URL, where it makes a database of its own and drops it. On Debian it installs, as root, what it lacks.
set -euo pipefail
exec </dev/null
# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

export POSTGRES_URL=${POSTGRES_URL:-postgres://postgres@127.0.0.1:5432/postgres}

main() {
  install_missing openssl openssl psql postgresql-client
  make_venv requirements.txt
  make_certificates
  KEYFOB_BINARY=$keyfob WORK=$work PYTHONPATH=../faults PYTHONDONTWRITEBYTECODE=1 \
    "$work/venv/bin/pytest" -p no:cacheprovider -W ignore::UserWarning -q -rxs .
}

# An authority, its certificate for localhost and one for another host, and a second authority.
make_certificates() {
  local new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes) name
  {
    for name in ca other-ca; do
      openssl req -x509 "${new_key[@]}" -days 2 -subj "/CN=$name" -keyout "$work/$name.key" -out "$work/$name.pem"
    done
    for name in localhost elsewhere.example; do
      openssl req "${new_key[@]}" -subj "/CN=$name" -keyout "$work/$name.key" -out "$work/$name.request"
      openssl x509 -req -in "$work/$name.request" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
        -extfile <(printf 'subjectAltName=DNS:%s' "$name") -out "$work/$name.pem"
    done
  } 2>"$work/openssl.log"
}

main
