#!/usr/bin/env bash
# Drives Keyfob through Debian's nginx, by TLS, as docs/proxy.md sets it up: `bash tests/nginx/run.sh target/debug/keyfob`.
# Four times: under a prefix that nginx takes off, under one that it passes on, at the root of the host, and with a proxy that
# keeps its connections and asks for an upgrade each time, as many pages on nginx say.
# nginx and Chromium it installs on Debian, as root, where they are missing; Node 20 with npm must be there.
# BASE_PORT: the first of two free ports; unset: any.
set -euo pipefail
exec </dev/null

readonly WAIT_SECONDS=30
readonly LOG_LINES=40

work=$(mktemp -d)
pids=()

main() {
  [[ $# == 1 && -x $1 ]] || fail 'usage: run.sh PATH_OF_KEYFOB'
  keyfob=$(realpath "$1")
  cd "$(dirname "${BASH_SOURCE[0]}")"
  for name in ${!KEYFOB@}; do unset "$name"; done # only what is set below

  install_packages
  make_certificate
  choose_ports
  test_behind 'a prefix that nginx takes off' /auth prefix
  test_behind 'a prefix that nginx passes on' /auth prefix_passed_on
  test_behind 'no prefix' '' no_prefix
  test_behind 'a proxy that asks for an upgrade' '' upgrading
}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

# Stops what this run started and nothing else.
finish() {
  local status=$? log
  trap - EXIT
  stop_all || true
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

install_packages() {
  local missing=()
  command -v nginx >/dev/null || missing+=(nginx-light)
  command -v openssl >/dev/null || missing+=(openssl)
  [[ -n ${CHROMIUM-} ]] || command -v chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
  if ((${#missing[@]} > 0)); then
    apt-get update -qq
    # In that run level Debian does not start the service that comes with it, on port 80.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" \
      >"$work/apt.log" 2>&1 || return 1
  fi
  # The browser's driver is that of the /docs tests.
  [[ -d ../browser/node_modules/playwright-core ]] || npm ci --prefix ../browser --ignore-scripts --no-audit --no-fund
}

# An authority of the test's own, and a certificate signed by it.
make_certificate() {
  local new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  {
    openssl req -x509 "${new_key[@]}" -days 2 -subj '/CN=Keyfob test' -keyout "$work/ca.key" -out "$work/ca.pem"
    openssl req "${new_key[@]}" -subj /CN=localhost -keyout "$work/key.pem" -out "$work/request.pem"
    openssl x509 -req -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
      -extfile <(echo subjectAltName=DNS:localhost) -out "$work/cert.pem"
  } 2>"$work/openssl.log"
}

choose_ports() {
  if [[ -n ${BASE_PORT-} ]]; then
    proxy_port=$BASE_PORT service_port=$((BASE_PORT + 1))
  else
    read -r proxy_port service_port < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))')
  fi
}

# test_behind NAME ROOT_PATH SERVER: the whole story; SERVER is a function that prints nginx's server block.
test_behind() {
  printf '\n=== %s\n' "$1"
  export BASE_URL=https://localhost:$proxy_port$2
  "$3" | as_tested >"$work/server.conf"
  start_service "$2"
  start_nginx
  NODE_EXTRA_CA_CERTS=$work/ca.pem SERVICE_PORT=$service_port SSL_CERT_FILE=$work/ca.pem BINARY=$keyfob \
    timeout 300 node --test --test-reporter=spec nginx.mjs
  stop_all || fail 'nginx or the service did not end well'
}

# The server block of the page.
prefix() {
  page_block nginx 1
}

# The same without the slash that makes nginx take the prefix off.
prefix_passed_on() {
  local block passed_on
  block=$(page_block nginx 1)
  passed_on=${block/8000\/;/8000;}
  [[ $passed_on != "$block" ]] || fail 'docs/proxy.md has no proxy_pass with a slash at its end'
  printf '%s\n' "$passed_on"
}

# The same with the page's other location in place of its two.
no_prefix() {
  page_block nginx 1 | awk '/^    location/ || /^    # RFC 8414/ { exit } { print }'
  page_block nginx 2
  echo '}'
}

# The same with connections that are kept, and the wish for an upgrade on each request.
upgrading() {
  echo 'upstream kept { server 127.0.0.1:8000; keepalive 8; }'
  no_prefix | sed -e 's|proxy_pass http://127\.0\.0\.1:8000|proxy_pass http://kept|' \
    -e 's|proxy_http_version 1\.1;|&\n    proxy_set_header Connection "upgrade";|'
}

# page_block LANGUAGE N: the Nth block in that language.
page_block() {
  awk -v fence="\`\`\`$1" -v wanted="$2" '
    $0 == fence { block++; open = 1; next }
    /^```/ { open = 0 }
    open && block == wanted' ../../docs/proxy.md
}

# The page's addresses and files, replaced by the test's.
as_tested() {
  sed -e "s/443 ssl/127.0.0.1:$proxy_port ssl/" -e 's/example\.com;/localhost;/' -e "s/127\.0\.0\.1:8000/127.0.0.1:$service_port/" \
    -e "s|/etc/ssl/certs/example\.com\.pem|$work/cert.pem|" -e "s|/etc/ssl/private/example\.com\.key|$work/key.pem|"
}

# start_service ROOT_PATH: with the page's variables and a database of its own.
start_service() {
  local home variables
  home=$(mktemp -d "$work/service.XXXXXX")
  export KEYFOB__SERVER__BIND=127.0.0.1:$service_port KEYFOB__DATABASE__URL=sqlite://$home/keyfob.db
  export KEYFOB__PASSWORD__BCRYPT_COST=4
  variables=$(page_block sh 1)
  if [[ -z $1 ]]; then variables=$(sed -e '/ROOT_PATH/d' -e 's|/auth$||' <<<"$variables"); fi
  mapfile -t variables < <(sed "s|https://example\.com|https://localhost:$proxy_port|" <<<"$variables")
  (cd "$home" && exec env "${variables[@]}" "$keyfob" serve) >"$work/keyfob.log" 2>&1 &
  pids+=($!)
  wait_for "$service_port" 'the service'
}

start_nginx() {
  {
    if ((EUID == 0)); then echo 'user root;'; fi # its workers must read the test's folder
    printf '%s\n' 'daemon off;' "pid $work/nginx.pid;" "error_log $work/nginx.log;" 'events {}' 'http {' "access_log $work/access.log;"
    local kind
    for kind in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path %s;\n' "$kind" "$work/$kind"; done
    cat "$work/server.conf"
    echo '}'
  } >"$work/nginx.conf"
  nginx -p "$work" -c "$work/nginx.conf" -e "$work/nginx.log" &
  pids+=($!)
  wait_for "$proxy_port" nginx
}

# wait_for PORT NAME: until the process that was started last listens there.
wait_for() {
  local tries
  for ((tries = 0; tries < WAIT_SECONDS * 10; tries++)); do
    if (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    kill -0 "${pids[-1]}" 2>/dev/null || fail "$2 ended at its start"
    sleep 0.1
  done
  fail "$2 does not listen within $WAIT_SECONDS s"
}

# Both must end by themselves, with status 0.
stop_all() {
  local pid tries status=0
  for pid in "${pids[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
    for ((tries = 0; tries < WAIT_SECONDS * 10; tries++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" || status=$?
  done
  pids=()
  return "$status"
}

main "$@"
