-- For wrk: ask what the lines of a file say, in turn, and print what came of it as JSON.
--   wrk -s closed.lua URL -- FILE [METHOD]
-- With POST each line is a body; with GET each is a path.

local requests = {}
local position = 0

function init(args)
  local method = args[2] or "POST"
  for line in io.lines(args[1]) do
    if method == "POST" then
      requests[#requests + 1] = wrk.format("POST", nil, nil, line)
    else
      requests[#requests + 1] = wrk.format(method, line)
    end
  end
  -- Reading them takes a while, which is none of the requests'.
  io.write("ready\n")
  io.flush()
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p90": %d, "p99": %d, "failed": %d}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(90), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
