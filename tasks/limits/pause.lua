-- Pauses a model, unless it is paused for longer already.
--
-- A pause for people to mend something is a rest: the model's `trips` count rests below zero, and like a circuit that
-- opened (see release.lua) the model is then probed by one call at a time until one succeeds.
--
-- KEYS: 1 pause, 2 trips
-- ARGV: 1 milliseconds, 2 whether it is a rest (1 or 0), 3 how long rests are remembered (milliseconds)

local left = redis.call('PTTL', KEYS[1])
-- Calls in flight fail together: they are one rest.
if ARGV[2] == '1' and left <= 0 then
  local trips = tonumber(redis.call('GET', KEYS[2])) or 0
  if trips <= 0 then
    redis.call('SET', KEYS[2], trips - 1, 'PX', ARGV[1] + ARGV[3])
  end
end
if left < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
