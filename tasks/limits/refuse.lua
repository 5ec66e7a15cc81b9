-- Judges the refusal of a request for its key, credit or permission: a fault of the model, or of the request alone.
--
-- The model's, when enough different requests were refused since the last healthy call: it is then put on hold, that is
-- paused until the operator may have removed the cause. Such holds in a row are counted in `trips` as a negative
-- number. After one, and from batches that have no part in it at once, one call at a time probes the model (see
-- acquire.lua). The request's, when another one was answered since its last refusal.
--
-- KEYS: 1 pause, 2 trips, 3 refused requests, 4 time of the latest healthy call, 5 batches with failures, 6 grace,
--       7 batches whose failures do not count
-- ARGV: 1 pause, 2 how long refusals and the count of holds are kept, 3 grace, 4 how long a batch with failures is kept
--       (milliseconds), 5 different requests that are enough, 6 and while others were answered lately, 7 most requests
--       and batches to remember, 8 what counts as lately (microseconds), 9 request, 10 batch ('': unknown)
-- Returns: 0 undecided, 1 the model is on hold, 2 the request's.

local pause_ms, memory_ms, grace_ms, batch_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local most, lately, request, batch = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], ARGV[10]

local answered = tonumber(redis.call('GET', KEYS[4]))
local previous = request ~= '' and tonumber(redis.call('ZSCORE', KEYS[3], request) or nil)
if previous and answered and answered > previous then
  redis.call('ZREM', KEYS[3], request)
  return 2
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - memory_ms * 1000)
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - batch_ms * 1000)
end
if batch ~= '' and redis.call('ZSCORE', KEYS[7], batch) then
  if request ~= '' then
    remember(KEYS[3], request, memory_ms, most)
  end
  return 0
end
remember(KEYS[3], request ~= '' and request or string.format('%.0f', now), memory_ms, most)
if batch ~= '' then
  remember(KEYS[5], batch, batch_ms, most)
end

local trips = tonumber(redis.call('GET', KEYS[2])) or 0
local left = redis.call('PTTL', KEYS[1])
-- Calls that are in flight at the same time fail together: they count as one hold.
if trips < 0 and left > 0 then
  return 1
end
local is_answering = answered and now - answered < lately
local enough = trips < 0 and 1 or tonumber(is_answering and ARGV[6] or ARGV[5])
local different = redis.call('ZCOUNT', KEYS[3], string.format('(%.0f', answered or 0), '+inf')
if different < enough then
  return 0
end
if trips <= 0 then
  redis.call('SET', KEYS[2], trips - 1, 'PX', math.ceil(pause_ms + memory_ms))
end
redis.call('PEXPIRE', KEYS[5], math.ceil(pause_ms + memory_ms))
redis.call('SET', KEYS[6], '1', 'PX', math.ceil(pause_ms + grace_ms))
if left < pause_ms then
  redis.call('SET', KEYS[1], '1', 'PX', math.ceil(pause_ms))
end
return 1
