-- What the other scripts begin with (see redis.py): the time now, and how requests and batches are remembered.

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

-- Adds a member with the time now to a sorted set that lasts for `ms`, and drops the oldest beyond `most`.
local function remember(key, member, ms, most)
  redis.call('ZADD', key, now, member)
  if redis.call('ZCARD', key) > most then
    redis.call('ZREMRANGEBYRANK', key, 0, 0)
  end
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, math.ceil(ms))
  end
end
