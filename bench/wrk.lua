-- What wrk sends, by the variables that bench/run.py sets: one request after another out of a file of ready lines
-- ("METHOD<tab>PATH<tab>TOKEN<tab>CONTENT-TYPE<tab>BODY", empty where there is none), begun at another place by each thread; or, with
-- BENCH_REFRESH, a chain of refreshes, each with the token that the answer before it gave (one connection a thread).
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local requests, at = {}, 0
local refresh_token

local function form(token)
  local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  return wrk.format("POST", "/login", headers, "grant_type=refresh_token&refresh_token=" .. token)
end

function init()
  local lines = {}
  for line in io.lines(os.getenv("BENCH_REQUESTS")) do lines[#lines + 1] = line end
  if os.getenv("BENCH_REFRESH") then
    refresh_token = lines[number + 1]
    return
  end
  for _, line in ipairs(lines) do
    local method, path, token, kind, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {}
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    if kind ~= "" then headers["Content-Type"] = kind end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  at = number * 17
end

function request()
  if refresh_token then return form(refresh_token) end
  at = at % #requests + 1
  return requests[at]
end

-- wrk is faster where this does not exist, so only a chain has it.
if os.getenv("BENCH_REFRESH") then
  function response(status, _, body)
    if status == 200 then refresh_token = body:match('"refresh_token":"([^"]+)"') end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("bench %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
