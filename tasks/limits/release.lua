-- Gives back the slots of calls that ended, and notes what they all say about the health of their model.
--
-- The circuit breaker of a model: closed, it counts good and bad calls in a window of ten buckets, and opens when
-- enough of enough calls were bad. While `open` lives nothing is granted. Afterwards, as long as `trips` lives, it is
-- half open: the one call whose slot id is in `probe` decides. Calls that began before it opened say nothing then.
-- Each trip in a row lasts twice as long as the one before.
--
-- KEYS: 1 slots, 2 open, 3 trips, 4 probe, 5 window, 6 when it first opened (microseconds)
-- ARGV: 1 verdict (1 good, 0 bad, -1 none), 2 window (microseconds), 3 calls that a verdict takes, 4 share of bad
--       calls that opens it, 5 open time and 6 its cap (milliseconds), then a slot id per call
-- Returns: 0 nothing changed, or 1 opened (then milliseconds, bad calls, calls), or 2 closed.

local verdict, window, least, share = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
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

local function open(trips, bad, calls)
  local ms = math.min(cap_ms, open_ms * 2 ^ (trips - 1))
  redis.call('SET', KEYS[2], '1', 'PX', math.ceil(ms))
  -- Nobody may want the model for a while: a circuit is not half open for ever.
  redis.call('SET', KEYS[3], trips, 'PX', math.ceil(ms + 2 * cap_ms))
  redis.call('SETNX', KEYS[6], string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[6], math.ceil(ms + 2 * cap_ms))
  redis.call('DEL', KEYS[5])
  return {1, math.ceil(ms), bad, calls}
end

if verdict < 0 or redis.call('EXISTS', KEYS[2]) == 1 then
  return {0}
end
local trips = tonumber(redis.call('GET', KEYS[3]))
if trips then
  if not is_probe then
    return {0}
  end
  if verdict == 0 then
    return open(math.min(math.max(trips, 0) + 1, 32), 1, 1)
  end
  redis.call('DEL', KEYS[3], KEYS[5], KEYS[6])
  return {2}
end

local bucket = math.floor(now / (window / 10))
local so_far = redis.call('HINCRBY', KEYS[5], string.format('%.0f:%d', bucket, verdict), ended)
redis.call('PEXPIRE', KEYS[5], math.ceil(window / 1000))
-- Good calls open nothing; the first ones of a bucket clear away the old buckets.
if verdict == 1 and so_far > ended then
  return {0}
end
local counts = {[0] = 0, [1] = 0}
local fields = redis.call('HGETALL', KEYS[5])
for i = 1, #fields, 2 do
  local its_bucket, its_verdict = string.match(fields[i], '(%d+):(%d)')
  if tonumber(its_bucket) <= bucket - 10 then
    redis.call('HDEL', KEYS[5], fields[i])
  else
    its_verdict = tonumber(its_verdict)
    counts[its_verdict] = counts[its_verdict] + tonumber(fields[i + 1])
  end
end
local calls = counts[0] + counts[1]
if verdict == 0 and calls >= least and counts[0] >= share * calls then
  return open(1, counts[0], calls)
end
return {0}
