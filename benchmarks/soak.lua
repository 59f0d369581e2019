-- wrk -s soak.lua URL BODY: no two requests come from the same caller. The odd ones have a key that nobody made, and are refused;
-- the even ones a user, a session and an address of their own.
local number = 0

function init(arguments)
    wrk.method = "POST"
    wrk.body = arguments[1]
    wrk.headers["content-type"] = "application/json"
end

function request()
    number = number + 1
    local headers = wrk.headers
    if number % 2 == 1 then
        headers["authorization"] = string.format("Bearer sk-ailb_%043d", number)
        headers["x-user-id"] = nil
        headers["x-session-id"] = nil
        headers["x-forwarded-for"] = nil
    else
        headers["authorization"] = "Bearer sk-bench"
        headers["x-user-id"] = "user-" .. number
        headers["x-session-id"] = "session-" .. number
        headers["x-forwarded-for"] = string.format("10.%d.%d.%d", number / 65536 % 256, number / 256 % 256, number % 256)
    end
    return wrk.format()
end

function done(summary, latency)
    local errors = summary.errors
    print(string.format(
        "result requests=%d status=%d connect=%d read=%d write=%d timeout=%d",
        summary.requests, errors.status, errors.connect, errors.read, errors.write, errors.timeout
    ))
end
