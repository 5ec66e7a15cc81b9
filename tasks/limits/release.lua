-- Releases the slots of calls that ended, and updates their model's circuit breaker.
--
-- While closed, the breaker counts healthy calls and failures in a window of ten buckets, and opens when the window
-- has enough calls and a high enough share of failures. While the key `open` exists, nothing is granted. After that,
-- as long as `trips` exists, the circuit is half open: the call whose slot id is in `probe` decides, and calls that
-- began before it opened do not count. Each time in a row it opens for twice as long as before.
--
-- KEYS: 1 slots, 2 open, 3 trips, 4 probe, 5 window, 6 when it first opened (microseconds)
-- ARGV: 1 health of the calls (1 healthy, 0 failed, -1 unknown), 2 window (microseconds), 3 fewest calls and 4 share
--       of failures that open it, 5 open time and 6 its cap (milliseconds), then a slot id per call
-- Returns: 0 unchanged, or 1 opened (then milliseconds, failures, calls), or 2 closed.

local health, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local min_calls, failure_rate = tonumber(ARGV[3]), tonumber(ARGV[4])
local open_ms, cap_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local ended = #ARGV - 6

local probe = redis.call('GET', KEYS[4])
local is_probe = false
for i = 7, #ARGV do
  redis.call('ZREM', KEYS[1], ARGV[i])
  is_probe = is_probe or ARGV[i] == probe
end
if is_probe then
  redis.call('DEL', KEYS[4])
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local function open(trips, failures, calls)
  local ms = math.min(cap_ms, open_ms * 2 ^ (trips - 1))
  redis.call('SET', KEYS[2], '1', 'PX', math.ceil(ms))
  -- If no call is made for a while, the circuit closes by itself: it is not half open for ever.
  redis.call('SET', KEYS[3], trips, 'PX', math.ceil(ms + 2 * cap_ms))
  redis.call('SETNX', KEYS[6], string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[6], math.ceil(ms + 2 * cap_ms))
  redis.call('DEL', KEYS[5])
  return {1, math.ceil(ms), failures, calls}
end

if health < 0 or redis.call('EXISTS', KEYS[2]) == 1 then
  return {0}
end
local trips = tonumber(redis.call('GET', KEYS[3]))
if trips then
  if not is_probe then
    return {0}
  end
  if health == 0 then
    return open(math.min(math.max(trips, 0) + 1, 32), 1, 1)
  end
  redis.call('DEL', KEYS[3], KEYS[5], KEYS[6])
  return {2}
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
