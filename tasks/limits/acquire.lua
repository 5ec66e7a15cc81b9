-- Grants permits for the first calls of a request, as many as the model's limits allow now.
--
-- Requests and tokens: the generic cell rate algorithm (GCRA, ITU-T I.371). A key holds the theoretical arrival
-- time (TAT) in microseconds, up to which the rate is used up; a call may start while the TAT is ahead of now by
-- no more than the burst. Tokens are charged on credit: a call may start whenever the tokens so far are within
-- the burst, however many it needs itself, so that a call larger than the burst does not wait for ever.
-- Calls in flight: a sorted set of slot ids by the time at which they expire.
--
-- While a circuit is not closed (see release.lua and refuse.lua), at most one call is granted, the probe. It must show
-- whether the model fails, or only some requests. So while the circuit rests (open, or on hold), it comes from a batch
-- that has no part in the failures, as long as fewer than `crowd` batches have; after that from any batch, but from a
-- request that was sent to the model before only when `grace` has passed, in which any worker could offer another.
--
-- KEYS: 1 TAT of requests, 2 TAT of tokens, 3 slots, 4 pause, 5 open, 6 trips, 7 probe, 8 when it first opened,
--       9 batches with failures, 10 grace
-- ARGV: 1 request interval, 2 request burst, 3 token interval, 4 token burst, 5 slot lease (microseconds all),
--       6 slots (0: unlimited), 7 wait when no slot is free (microseconds), 8 wait while a probe is in flight,
--       9 most operator holds in a row, 10 time since it first opened after which it is abandoned (microseconds),
--       11 crowd, then per call a slot id, the estimated tokens, its batch ('': unknown) and whether its request is
--       fresh: never sent to this model (1 or 0)
-- Returns: the number granted, the microseconds until the next call may start, the circuit (0 closed, 1 open, 2 half
--          open, 3 on hold, 4 abandoned), the position of the first call granted, from 0, and unless the circuit is
--          closed, for each call whether its batch has a part in the failures (1 or 0).

local request_interval, request_burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local token_interval, token_burst = tonumber(ARGV[3]), tonumber(ARGV[4])
local lease, slots, slot_wait, probe_wait = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local first_call, call_size = 12, 4
local calls = (#ARGV - first_call + 1) / call_size

local open, paused = redis.call('PTTL', KEYS[5]), redis.call('PTTL', KEYS[4])
local trips = tonumber(redis.call('GET', KEYS[6]))
local circuit = 0
if open > 0 then
  local since = tonumber(redis.call('GET', KEYS[8])) or now
  circuit = now - since > tonumber(ARGV[10]) and 4 or 1
elseif trips then
  circuit = (trips > 0 or -trips > tonumber(ARGV[9])) and 2 or 3
end
if circuit == 0 and paused > 0 then
  return {0, paused * 1000, circuit, 0, {}}
end

local involved = {}

-- Returns the position of the first call that may be the probe, from 1; nil if none may.
local function probe_among_calls(rests)
  for i = 1, calls do
    local is_fresh = ARGV[first_call + (i - 1) * call_size + 3] == '1'
    if is_fresh and involved[i] == 0 then
      return i
    end
  end
  if rests then
    return nil
  end
  for i = 1, calls do
    if ARGV[first_call + (i - 1) * call_size + 3] == '1' then
      return i
    end
  end
  return redis.call('EXISTS', KEYS[10]) == 0 and 1 or nil
end

local first, last = 1, calls
if circuit ~= 0 then
  local is_crowd = redis.call('ZCARD', KEYS[9]) >= tonumber(ARGV[11])
  for i = 1, calls do
    local batch = ARGV[first_call + (i - 1) * call_size + 2]
    local is_involved = is_crowd or batch == '' or redis.call('ZSCORE', KEYS[9], batch)
    involved[i] = is_involved and 1 or 0
  end
  -- A pause between two trips of the circuit is one for the rate: it holds for every call.
  if paused > 0 and not (trips and trips < 0) then
    return {0, math.max(open, paused) * 1000, circuit, 0, involved}
  end
  if redis.call('EXISTS', KEYS[7]) == 1 then
    return {0, probe_wait, circuit, 0, involved}
  end
  local rests = open > 0 or paused > 0
  first = probe_among_calls(rests)
  if not first then
    return {0, rests and math.max(open, paused) * 1000 or probe_wait, circuit, 0, involved}
  end
  last = first
end

redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
local in_flight = redis.call('ZCARD', KEYS[3])
local request_tat = math.max(tonumber(redis.call('GET', KEYS[1])) or 0, now)
local token_tat = math.max(tonumber(redis.call('GET', KEYS[2])) or 0, now)

local granted, wait = 0, 0
for i = first, last do
  local call = first_call + (i - 1) * call_size
  wait = math.max(request_tat - request_burst, token_tat - token_burst) - now
  if slots > 0 and in_flight >= slots then
    wait = math.max(wait, slot_wait)
  end
  if wait > 0 then
    break
  end
  redis.call('ZADD', KEYS[3], now + lease, ARGV[call])
  request_tat = request_tat + request_interval
  token_tat = token_tat + token_interval * tonumber(ARGV[call + 1])
  in_flight = in_flight + 1
  granted = granted + 1
end

-- A TAT in the past is equivalent to a missing one: each key expires when its TAT is reached.
local function keep(key, tat)
  if tat > now then
    redis.call('SET', key, string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
  end
end

if circuit ~= 0 and granted == 1 then
  redis.call('SET', KEYS[7], ARGV[first_call + (first - 1) * call_size], 'PX', math.ceil(lease / 1000))
  wait = last < calls and math.max(wait, probe_wait) or wait
end
if granted > 0 then
  keep(KEYS[1], request_tat)
  keep(KEYS[2], token_tat)
  -- Never shorter than what an earlier call with a longer lease has set.
  if redis.call('PTTL', KEYS[3]) < lease / 1000 then
    redis.call('PEXPIRE', KEYS[3], math.ceil(lease / 1000))
  end
end
return {granted, math.ceil(math.max(wait, 0)), circuit, first - 1, involved}
