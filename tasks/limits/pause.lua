-- Pauses a model, unless it is paused for longer already.
--
-- A pause until the operator fixes an error is an operator hold. Such holds in a row are counted in `trips` as a
-- negative number. As after an open circuit (see release.lua), the model is then probed by one call at a time until
-- one succeeds.
--
-- KEYS: 1 pause, 2 trips
-- ARGV: 1 milliseconds, 2 whether it is an operator hold (1 or 0), 3 how long the count is kept (milliseconds)

local left = redis.call('PTTL', KEYS[1])
-- Calls that are in flight at the same time fail together: they count as one hold.
if ARGV[2] == '1' and left <= 0 then
  local trips = tonumber(redis.call('GET', KEYS[2])) or 0
  if trips <= 0 then
    redis.call('SET', KEYS[2], trips - 1, 'PX', ARGV[1] + ARGV[3])
  end
end
if left < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
