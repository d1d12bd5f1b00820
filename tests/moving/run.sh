#!/usr/bin/env bash
# Moves accounts of the full-stack FastAPI template and of fastapi-users to Keyfob, by the commands of docs/from-*.md:
# `bash tests/moving/run.sh target/debug/keyfob`. Needed: Python 3.11 and PostgreSQL at POSTGRES_URL, where it makes
# databases of its own and drops them. On Debian it installs, as root, what it lacks to make venvs and to read SQLite.
set -euo pipefail
exec </dev/null
# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

export POSTGRES_URL=${POSTGRES_URL:-postgresql://postgres@127.0.0.1:5432}

main() {
  install_missing sqlite3 sqlite3 psql postgresql-client
  make_venv requirements.txt "$work/new"
  make_venv requirements-old.txt "$work/old"
  KEYFOB_BINARY=$keyfob OLD_PYTHON=$work/old/bin/python PYTHONDONTWRITEBYTECODE=1 \
    "$work/new/bin/pytest" -p no:cacheprovider --basetemp "$work/homes" -q -rxs .
}

main
