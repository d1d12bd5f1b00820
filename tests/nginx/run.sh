#!/usr/bin/env bash
# Drives Keyfob through Debian's nginx, by TLS, as docs/proxy.md sets it up: `bash tests/nginx/run.sh target/debug/keyfob`.
# Four times: under a prefix that nginx takes off, under one that it passes on, at the root of the host, and with a proxy that
# keeps its connections and asks for an upgrade each time, as many pages on nginx say.
# nginx and Chromium it installs on Debian, as root, where they are missing; Node 20 with npm must be there.
set -euo pipefail
exec </dev/null
# shellcheck source=tests/service.sh
source "$(dirname "$0")/../service.sh"

main() {
  install_missing nginx nginx-light openssl openssl
  [[ -n ${CHROMIUM-} ]] || command -v chromium >/dev/null || install_packages chromium fonts-dejavu-core
  # The browser's driver is that of the /docs tests.
  [[ -d ../browser/node_modules/playwright-core ]] || npm ci --prefix ../browser --ignore-scripts --no-audit --no-fund

  make_certificate
  read -r proxy_port service_port < <(free_ports 2)
  test_behind 'a prefix that nginx takes off' /auth prefix
  test_behind 'a prefix that nginx passes on' /auth prefix_passed_on
  test_behind 'no prefix' '' no_prefix
  test_behind 'a proxy that asks for an upgrade' '' upgrading
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

# test_behind NAME ROOT_PATH SERVER: the whole story; SERVER is a function that prints nginx's server block.
test_behind() {
  printf '\n=== %s\n' "$1"
  export BASE_URL=https://localhost:$proxy_port$2
  "$3" | as_tested >"$work/server.conf"
  start_keyfob_behind "$2"
  start_nginx
  NODE_EXTRA_CA_CERTS=$work/ca.pem SERVICE_PORT=$service_port SSL_CERT_FILE=$work/ca.pem BINARY=$keyfob \
    timeout 300 node --test --test-reporter=spec nginx.mjs
  stop_servers || fail 'nginx or the service did not end well'
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

# start_keyfob_behind ROOT_PATH: with the page's variables.
start_keyfob_behind() {
  local variables
  variables=$(page_block sh 1)
  if [[ -z $1 ]]; then variables=$(sed -e '/ROOT_PATH/d' -e 's|/auth$||' <<<"$variables"); fi
  mapfile -t variables < <(sed "s|https://example\.com|https://localhost:$proxy_port|" <<<"$variables")
  start_keyfob "$service_port" "${variables[@]}"
}

start_nginx() {
  {
    if ((EUID == 0)); then echo 'user root;'; fi # its workers must read the test's folder
    printf '%s\n' 'daemon off;' "pid $work/nginx.pid;" "error_log $work/nginx_errors.log;" 'events {}' 'http {' "access_log $work/access.log;"
    local kind
    for kind in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path %s;\n' "$kind" "$work/$kind"; done
    cat "$work/server.conf"
    echo '}'
  } >"$work/nginx.conf"
  start_server nginx "$proxy_port" nginx -p "$work" -c "$work/nginx.conf" -e "$work/nginx_errors.log"
}

main
