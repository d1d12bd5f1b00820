# What the run.sh of the folders here share, to be sourced by them: the argument, packages, a Keyfob of their own on a fresh
# database and a free loopback port, and an end that leaves nothing behind. The current folder is then that of the script.
# shellcheck shell=bash

[[ $# -ge 1 && -x $1 ]] || { echo "usage: $0 PATH_OF_KEYFOB" >&2; exit 1; }
keyfob=$(realpath "$1")
cd "$(dirname "$0")"
for name in ${!KEYFOB@}; do unset "$name"; done # only what is set below

readonly WAIT_SECONDS=30 LOG_LINES=40

work=$(mktemp -d)
servers=() # process ids
service_home=
service_settings=()

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

# Stops what was started here and nothing else.
finish() {
  local status=$? log
  trap - EXIT
  stop_servers || true
  if ((status != 0)); then
    for log in "$work"/*.log; do
      [[ -s $log ]] || continue
      printf '\nlast lines of %s:\n' "${log##*/}" >&2
      tail -n "$LOG_LINES" "$log" >&2
    done
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# install_missing [COMMAND PACKAGE]...: Debian's package for each command that is not there.
install_missing() {
  local missing=()
  while (($# > 0)); do
    command -v "$1" >/dev/null || missing+=("$2")
    shift 2
  done
  install_packages "${missing[@]}"
}

install_packages() {
  (($# > 0)) || return 0
  # In that run level Debian starts no service that comes with a package.
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@"; } \
    >"$work/apt.log" 2>&1
}

# make_venv REQUIREMENTS [FOLDER]: what a requirements file names, in $work/venv or that folder.
make_venv() {
  local folder=${2:-$work/venv}
  if ! python3 -c 'import ensurepip' 2>/dev/null; then install_packages python3-venv; fi # a package of its own on Debian
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$1"
}

# free_ports COUNT: prints that many ports of 127.0.0.1.
free_ports() {
  python3 -c '
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))' "$1"
}

# start_server NAME PORT COMMAND...: runs it in the background, its output in $work/NAME.log, and waits until it listens.
start_server() {
  local name=$1 port=$2 tries
  "${@:3}" >"$work/$name.log" 2>&1 &
  servers+=($!)
  for ((tries = 0; tries < WAIT_SECONDS * 10; tries++)); do
    if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    kill -0 "${servers[-1]}" 2>/dev/null || fail "$name ended at its start"
    sleep 0.1
  done
  fail "$name does not listen within $WAIT_SECONDS s"
}

# start_keyfob PORT [KEYFOB__KEY=VALUE]...: the service, in a folder of its own. Its log is $work/keyfob.log.
start_keyfob() {
  service_home=$(mktemp -d "$work/service.XXXXXX")
  service_settings=("KEYFOB__SERVER__BIND=127.0.0.1:$1" KEYFOB__PASSWORD__BCRYPT_COST=4 "${@:2}")
  start_server keyfob "$1" env --chdir="$service_home" "${service_settings[@]}" "$keyfob" serve
}

# start_service [KEYFOB__KEY=VALUE]...: the same on a free port; exports BASE_URL.
start_service() {
  local port
  port=$(free_ports 1)
  export BASE_URL=http://127.0.0.1:$port
  start_keyfob "$port" "KEYFOB__TOKEN__ISSUER=$BASE_URL" "$@"
}

# add_client ID: registers a confidential client with the service; exports CLIENT_ID and CLIENT_SECRET.
add_client() {
  local printed
  printed=$(env --chdir="$service_home" "${service_settings[@]}" "$keyfob" client add --id "$1") || fail 'no client could be added'
  CLIENT_SECRET=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["client_secret"])' "$printed")
  export CLIENT_ID=$1 CLIENT_SECRET
}

# add_admin EMAIL PASSWORD: creates an admin; exports ADMIN_EMAIL.
add_admin() {
  env --chdir="$service_home" "${service_settings[@]}" "$keyfob" user create --email "$1" --admin <<<"$2" >"$work/admin.log" ||
    fail 'no admin could be created'
  export ADMIN_EMAIL=$1
}

# They must end by themselves, with status 0.
stop_servers() {
  local pid tries status=0
  for pid in "${servers[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true # it may have ended already, with a status that tells
    for ((tries = 0; tries < WAIT_SECONDS * 10; tries++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    if kill -KILL "$pid" 2>/dev/null; then echo "a server still runs $WAIT_SECONDS s after SIGTERM" >&2; fi
    wait "$pid" || status=$?
  done
  servers=()
  return "$status"
}
