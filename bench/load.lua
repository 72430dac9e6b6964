-- wrk's script: sends requests that were made beforehand (bench/requests.h tells the format), each drawn at random,
-- and prints what wrk counted as JSON. Statuses are left to wrk: a look at each answer from Lua would be a load itself.
local threads = 0
local requests = {}

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(arguments)
    local file = assert(io.open(arguments[1], "rb"))
    for line in function() return file:read("*l") end do
        requests[#requests + 1] = assert(file:read(tonumber(line:match("^%d+"))))
    end
    file:close()
    math.randomseed(tonumber(arguments[2]) + number)
end

function request()
    return requests[math.random(#requests)]
end

function done(summary)
    local errors = summary.errors
    io.write(string.format(
        '\nresult {"requests": %d, "seconds": %.6f, "bytes": %d, "wrong": %d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
