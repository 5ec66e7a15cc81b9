-- Grants permits for the first calls of a request, as many as the model's limits allow now.
--
-- Requests and tokens: the generic cell rate algorithm (GCRA, ITU-T I.371). A key holds the theoretical arrival
-- time (TAT) in microseconds, up to which the rate is used up; a call may start while the TAT is ahead of now by
-- no more than the burst. Tokens are charged on credit: a call may start whenever the tokens so far are within
-- the burst, however many it needs itself, so that a call larger than the burst does not wait for ever.
-- Calls in flight: a sorted set of slot ids by the time at which they expire.
--
-- An open circuit (see release.lua) grants nothing. A half-open one, or one on hold (see pause.lua), grants one
-- call, the probe.
--
-- KEYS: 1 TAT of requests, 2 TAT of tokens, 3 slots, 4 pause, 5 open, 6 trips, 7 probe, 8 when it first opened
-- ARGV: 1 request interval, 2 request burst, 3 token interval, 4 token burst, 5 slot lease (microseconds all),
--       6 slots (0: unlimited), 7 wait when no slot is free (microseconds), 8 wait while a probe is in flight,
--       9 most operator holds in a row, 10 time since it first opened after which it is abandoned (microseconds),
--       then a slot id and a token cost per call
-- Returns: the number granted, the microseconds until the next call may start, and the circuit: 0 closed, 1 open,
--          2 half open, 3 on hold, 4 abandoned.

local request_interval, request_burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local token_interval, token_burst = tonumber(ARGV[3]), tonumber(ARGV[4])
local lease, slots, slot_wait, probe_wait = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local open = redis.call('PTTL', KEYS[5])
if open > 0 then
  local since = tonumber(redis.call('GET', KEYS[8])) or now
  return {0, open * 1000, now - since > tonumber(ARGV[10]) and 4 or 1}
end
local trips = tonumber(redis.call('GET', KEYS[6]))
local half_open = trips ~= nil
local circuit = 0
if half_open then
  circuit = (trips > 0 or -trips > tonumber(ARGV[9])) and 2 or 3
end
local paused = redis.call('PTTL', KEYS[4])
if paused > 0 then
  return {0, paused * 1000, circuit}
end
if half_open and redis.call('EXISTS', KEYS[7]) == 1 then
  return {0, probe_wait, circuit}
end

redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
local in_flight = redis.call('ZCARD', KEYS[3])
local request_tat = math.max(tonumber(redis.call('GET', KEYS[1])) or 0, now)
local token_tat = math.max(tonumber(redis.call('GET', KEYS[2])) or 0, now)

local granted, wait = 0, 0
for i = 11, #ARGV, 2 do
  wait = math.max(request_tat - request_burst, token_tat - token_burst) - now
  if slots > 0 and in_flight >= slots then
    wait = math.max(wait, slot_wait)
  end
  if half_open and granted == 1 then
    wait = math.max(wait, probe_wait)
  end
  if wait > 0 then
    break
  end
  redis.call('ZADD', KEYS[3], now + lease, ARGV[i])
  request_tat = request_tat + request_interval
  token_tat = token_tat + token_interval * tonumber(ARGV[i + 1])
  in_flight = in_flight + 1
  granted = granted + 1
end

-- A TAT in the past is equivalent to a missing one: each key expires when its TAT is reached.
local function keep(key, tat)
  if tat > now then
    redis.call('SET', key, string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
  end
end

if half_open and granted == 1 then
  redis.call('SET', KEYS[7], ARGV[11], 'PX', math.ceil(lease / 1000))
end
if granted > 0 then
  keep(KEYS[1], request_tat)
  keep(KEYS[2], token_tat)
  -- Never shorter than what an earlier call with a longer lease has set.
  if redis.call('PTTL', KEYS[3]) < lease / 1000 then
    redis.call('PEXPIRE', KEYS[3], math.ceil(lease / 1000))
  end
end
return {granted, math.ceil(math.max(wait, 0)), circuit}
