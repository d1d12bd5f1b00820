# drive.sh COMMAND...: the story that each client is driven through; COMMAND is one call of /me.
set -euo pipefail
. ./client.sh

call_at_once() {
  local pids=() pid
  for ((i = 0; i < AT_ONCE; i++)); do
    "$@" >"out.$i" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
  for ((i = 0; i < AT_ONCE; i++)); do
    [[ $(jq -r .email "out.$i") == "$EMAIL" ]] || { echo "out.$i: $(cat "out.$i")"; exit 1; }
  done
}

api_login "$EMAIL"
[[ $(stat -c %a "$TOKENS") == 600 ]] || { echo 'others can read the tokens'; exit 1; }
call_at_once "$@"
sleep "$WAIT_SECONDS"
call_at_once "$@"
api_logout
if "$@" 2>/dev/null; then echo 'a call succeeds after the log-out'; exit 1; fi
