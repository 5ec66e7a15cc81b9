-- Releases the slots of calls that ended, and updates their model's circuit breaker.
--
-- While closed, the breaker counts healthy calls and failures in a window of ten buckets, and opens when the window
-- has enough calls and a high enough share of failures. A request's failures count once in a window, however often it
-- is sent. While the key `open` exists, the circuit rests; after that, as long as `trips` exists, it is half open: the
-- call whose slot id is in `probe` (see acquire.lua) decides, and calls that began before it opened do not count.
-- Each time in a row it opens for twice as long as before. A probe that fails while the circuit rests changes nothing.
--
-- When a probe closes the circuit, other batches with failures may fail by their own fault: their failures no longer
-- count, until one of their calls is healthy or the longest open time has passed.
--
-- KEYS: 1 slots, 2 open, 3 trips, 4 probe, 5 window, 6 when it first opened (microseconds), 7 batches with failures,
--       8 grace, 9 failed requests, 10 batches whose failures do not count, 11 time of the latest healthy call, 12 pause
-- ARGV: 1 health of the calls (1 healthy, 0 failed, -1 unknown), 2 window (microseconds), 3 fewest calls and 4 share
--       of failures that open it, 5 open time and 6 its cap, 7 grace (milliseconds), 8 most requests and batches to
--       remember, 9 how long the time of the latest healthy call is kept (milliseconds), then per call a slot id, its
--       request and its batch ('': unknown)
-- Returns: 0 unchanged, or 1 opened (then milliseconds, failures, calls), or 2 closed.

local health, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local min_calls, failure_rate = tonumber(ARGV[3]), tonumber(ARGV[4])
local open_ms, cap_ms, grace_ms, most = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local first_call, call_size = 10, 3

local probe = redis.call('GET', KEYS[4])
local is_probe = false
for i = first_call, #ARGV, call_size do
  redis.call('ZREM', KEYS[1], ARGV[i])
  is_probe = is_probe or ARGV[i] == probe
end
if is_probe then
  redis.call('DEL', KEYS[4])
end
if health < 0 then
  return {0}
end

local function open(trips, failures, calls)
  local ms = math.min(cap_ms, open_ms * 2 ^ (trips - 1))
  local lasts = math.ceil(ms + 2 * cap_ms)
  redis.call('SET', KEYS[2], '1', 'PX', math.ceil(ms))
  -- If no call is made for a while, the circuit closes by itself: it is not half open for ever.
  redis.call('SET', KEYS[3], trips, 'PX', lasts)
  redis.call('SET', KEYS[6], string.format('%.0f', now), 'PX', lasts, 'NX')
  redis.call('PEXPIRE', KEYS[6], lasts)
  redis.call('PEXPIRE', KEYS[7], lasts)
  redis.call('SET', KEYS[8], '1', 'PX', math.ceil(ms + math.min(grace_ms, cap_ms)))
  redis.call('DEL', KEYS[5])
  return {1, math.ceil(ms), failures, calls}
end

local function close()
  for i = first_call, #ARGV, call_size do
    redis.call('ZREM', KEYS[7], ARGV[i + 2])
  end
  for _, batch in ipairs(redis.call('ZRANGE', KEYS[7], 0, -1)) do
    remember(KEYS[10], batch, cap_ms, most)
  end
  local trips = tonumber(redis.call('GET', KEYS[3])) or 0
  if trips < 0 then
    redis.call('DEL', KEYS[12])
  end
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
  return {2}
end

if health == 1 then
  redis.call('SET', KEYS[11], string.format('%.0f', now), 'PX', ARGV[9])
  if redis.call('EXISTS', KEYS[10]) == 1 then
    for i = first_call, #ARGV, call_size do
      redis.call('ZREM', KEYS[10], ARGV[i + 2])
    end
  end
end

local trips = tonumber(redis.call('GET', KEYS[3]))
if trips then
  if health == 1 then
    return is_probe and close() or {0}
  end
  for i = first_call, #ARGV, call_size do
    if ARGV[i + 2] ~= '' then
      remember(KEYS[7], ARGV[i + 2], cap_ms, most)
    end
  end
  if not is_probe or redis.call('EXISTS', KEYS[2]) == 1 then
    return {0}
  end
  return open(math.min(math.max(trips, 0) + 1, 32), 1, 1)
end

local ended = (#ARGV - first_call + 1) / call_size
if health == 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', now - window)
  redis.call('ZREMRANGEBYSCORE', KEYS[9], '-inf', now - window)
  redis.call('ZREMRANGEBYSCORE', KEYS[10], '-inf', now - cap_ms * 1000)
  local counted = 0
  for i = first_call, #ARGV, call_size do
    local request, batch = ARGV[i + 1], ARGV[i + 2]
    local counts = not (batch ~= '' and redis.call('ZSCORE', KEYS[10], batch))
    if counts and batch ~= '' then
      remember(KEYS[7], batch, window / 1000, most)
    end
    if counts and request ~= '' then
      counts = not redis.call('ZSCORE', KEYS[9], request)
      if counts then
        remember(KEYS[9], request, window / 1000, most)
      end
    end
    counted = counted + (counts and 1 or 0)
  end
  if counted == 0 then
    return {0}
  end
  ended = counted
end

local bucket = math.floor(now / (window / 10))
local so_far = redis.call('HINCRBY', KEYS[5], string.format('%.0f:%d', bucket, health), ended)
redis.call('PEXPIRE', KEYS[5], math.ceil(window / 1000))
-- Healthy calls cannot open the circuit; the first ones of a bucket still delete the old buckets.
if health == 1 and so_far > ended then
  return {0}
end
local counts = {[0] = 0, [1] = 0}
local fields = redis.call('HGETALL', KEYS[5])
for i = 1, #fields, 2 do
  local field_bucket, field_health = string.match(fields[i], '(%d+):(%d)')
  if tonumber(field_bucket) <= bucket - 10 then
    redis.call('HDEL', KEYS[5], fields[i])
  else
    field_health = tonumber(field_health)
    counts[field_health] = counts[field_health] + tonumber(fields[i + 1])
  end
end
local calls = counts[0] + counts[1]
if health == 0 and calls >= min_calls and counts[0] >= failure_rate * calls then
  return open(1, counts[0], calls)
end
return {0}
