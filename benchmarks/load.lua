-- wrk -s load.lua URL BODY [KEY [PAUSE]]: posts BODY, each connection after PAUSE milliseconds on average, and closes with one line that benchmarks/load.py reads.
function init(arguments)
    wrk.method = "POST"
    wrk.body = arguments[1]
    wrk.headers["content-type"] = "application/json"
    wrk.headers["authorization"] = "Bearer " .. (arguments[2] or "sk-bench")
    request_bytes = wrk.format()
    local pause = tonumber(arguments[3] or 0)
    if pause > 0 then
        delay = function() return math.random(0, 2 * pause) end
    end
end

function request()
    return request_bytes
end

function done(summary, latency)
    local errors = summary.errors
    print(string.format(
        "result requests=%d micros=%d p50=%d p99=%d status=%d connect=%d read=%d write=%d timeout=%d",
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect, errors.read, errors.write, errors.timeout
    ))
end
