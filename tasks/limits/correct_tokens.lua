-- Moves the theoretical arrival time of a model's tokens (see acquire.lua) by a correction.
--
-- KEYS: 1 TAT of tokens
-- ARGV: 1 the correction in microseconds, negative if fewer tokens were used than estimated

local tat = math.max(tonumber(redis.call('GET', KEYS[1])) or 0, now) + tonumber(ARGV[1])
if tat > now then
  redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
