#!/usr/bin/env bash
# Faults around a running Keyfob on SQLite: `bash tests/faults/run.sh target/debug/keyfob [TEST]...`, where TEST is a name as
# Python's unittest takes it, such as test_disk. A full disk, a disk that becomes read-only, a clock that jumps, more clients
# than can be served, and a minute of mixed load (SOAK_SECONDS).
# Needed: Linux, Python 3.11, a C compiler, and leave to mount, as root or by user namespaces. Debian's faketime is installed,
# as root, where it is missing.
set -euo pipefail
exec </dev/null

# What is mounted here is seen by nobody else, and is gone with this process.
if [[ -z ${FAULTS_OWN_MOUNTS-} ]]; then
  as_root=()
  ((EUID == 0)) || as_root=(--user --map-root-user)
  unshare --mount "${as_root[@]}" true || { echo 'error: a disk of its own cannot be mounted: run this as root' >&2; exit 1; }
  FAULTS_OWN_MOUNTS=yes exec unshare --mount "${as_root[@]}" bash "$0" "$@"
fi

# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

main() {
  find_faketime
  cc -shared -fPIC -O1 -Wall -Werror -o "$work/read_only.so" read_only.c -ldl
  mkdir "$work/disk"
  KEYFOB_BINARY=$keyfob WORK=$work DISK=$work/disk FAKETIME_LIBRARY=$faketime READ_ONLY_LIBRARY=$work/read_only.so \
    PYTHONDONTWRITEBYTECODE=1 python3 -m unittest --verbose "$@"
}

# The library that sets a process's clock.
find_faketime() {
  local all=(/usr/lib/*/faketime/libfaketime.so.1)
  if [[ ! -e ${all[0]} ]]; then
    install_packages libfaketime
    all=(/usr/lib/*/faketime/libfaketime.so.1)
  fi
  faketime=${all[0]}
  [[ -e $faketime ]] || fail 'libfaketime is missing: apt-get install libfaketime'
}

shift
main "$@"
