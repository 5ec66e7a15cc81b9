-- Renews the leases of slots (see acquire.lua) whose calls go on; one that has expired counts again.
--
-- KEYS: 1 slots, 2 probe
-- ARGV: 1 slot lease (microseconds), then the slot ids

local lease = tonumber(ARGV[1])
local lease_ms = math.ceil(lease / 1000)
local probe = redis.call('GET', KEYS[2])
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now + lease, ARGV[i])
  if ARGV[i] == probe then
    redis.call('PEXPIRE', KEYS[2], lease_ms)
  end
end
if redis.call('PTTL', KEYS[1]) < lease_ms then
  redis.call('PEXPIRE', KEYS[1], lease_ms)
end
