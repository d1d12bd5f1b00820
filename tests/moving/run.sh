#!/usr/bin/env bash
# Moves accounts of the full-stack FastAPI template and of fastapi-users to Keyfob, by the commands of docs/from-*.md:
# `bash tests/moving/run.sh target/debug/keyfob`. Needed: Python 3.11 and PostgreSQL at POSTGRES_URL, where it makes
# databases of its own and drops them. On Debian it installs, as root, what it lacks to make venvs and to read SQLite.
set -euo pipefail
exec </dev/null

export POSTGRES_URL=${POSTGRES_URL:-postgresql://postgres@127.0.0.1:5432}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

main() {
  [[ $# == 1 && -x $1 ]] || fail 'usage: run.sh PATH_OF_KEYFOB'
  KEYFOB_BINARY=$(realpath "$1")
  export KEYFOB_BINARY OLD_PYTHON=$work/old/bin/python
  cd "$(dirname "${BASH_SOURCE[0]}")"
  for name in ${!KEYFOB__@} KEYFOB_ENV; do unset "$name"; done # the pages hold for the defaults

  install_packages
  make_venv new requirements.txt
  make_venv old requirements-old.txt
  PYTHONDONTWRITEBYTECODE=1 "$work/new/bin/pytest" -p no:cacheprovider --basetemp "$work/homes" -q -rxs .
}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

install_packages() {
  local missing=()
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv) # Debian keeps it in a package of its own
  command -v sqlite3 >/dev/null || missing+=(sqlite3)
  command -v psql >/dev/null || missing+=(postgresql-client)
  if ((${#missing[@]} > 0)); then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  fi
}

# make_venv NAME FILE: the packages of FILE.
make_venv() {
  python3 -m venv "$work/$1"
  "$work/$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
}

main "$@"
