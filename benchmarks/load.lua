-- What wrk sends and how it judges responses. Each registration has a new address. Arguments: kind, tag, pause in ms,
-- access token. kind: one of `kinds` (the tag of those that sign in is the addresses), or a path and, after a space, the
-- body to post there. The last line of the output is the result as JSON.
local customer = '"firstName":"Ada","lastName":"Beispiel","email":"%s","password":"correct horse",' ..
  '"confirmPassword":"correct horse","acceptedTerms":true'
local mutation = 'mutation Register($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename ' ..
  '... on CreateCustomerSuccess { customer { id reference email } confirmation { expiresAt } } ' ..
  '... on UserError { code message } } }'
local kinds = {
  graphql = {
    path = "/graphql",
    type = "application/json",
    body = '{"query":"' .. mutation .. '","variables":{"input":{"salutation":"MS","gender":"FEMALE",' .. customer .. '}}}',
    good = function(status, body) return status == 200 and body:find("CreateCustomerSuccess", 1, true) end,
  },
  rest = {
    path = "/customers",
    type = "application/vnd.api+json",
    body = '{"data":{"type":"customers","attributes":{"salutation":"Ms","gender":"Female",' .. customer .. '}}}',
    good = function(status) return status == 201 end,
  },
  ["sign-in"] = {
    signs_in = true,
    path = "/graphql",
    type = "application/json",
    body = '{"query":"mutation SignIn($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { __typename ' ..
      '... on CreateAccessTokenSuccess { tokens { accessToken refreshToken } } } }",' ..
      '"variables":{"input":{"email":"%s","password":"correct horse"}}}',
    good = function(status, body) return status == 200 and body:find("CreateAccessTokenSuccess", 1, true) end,
  },
  ["better-auth"] = {
    path = "/api/auth/sign-up/email",
    type = "application/json",
    body = '{"name":"Ada Beispiel","email":"%s","password":"correct horse"}',
    good = function(status, body) return status == 200 and body:find('"user":{', 1, true) end,
  },
  ["better-auth sign-in"] = {
    signs_in = true,
    path = "/api/auth/sign-in/email",
    type = "application/json",
    body = '{"email":"%s","password":"correct horse"}',
    good = function(status, body) return status == 200 and body:find('"token":"', 1, true) end,
  },
  ["vendure sign-in"] = {
    signs_in = true,
    path = "/shop-api",
    type = "application/json",
    body = '{"query":"mutation SignIn($email: String!) { login(username: $email, password: \\"correct horse\\") { ' ..
      '__typename } }","variables":{"email":"%s"}}',
    good = function(status, body) return status == 200 and body:find('"__typename":"CurrentUser"', 1, true) end,
  },
  vendure = {
    path = "/shop-api",
    type = "application/json",
    body = '{"query":"mutation Register($input: RegisterCustomerInput!) { registerCustomerAccount(input: $input) { ' ..
      '__typename ... on Success { success } ... on ErrorResult { errorCode message } } }","variables":{"input":' ..
      '{"firstName":"Ada","lastName":"Beispiel","emailAddress":"%s","password":"correct horse"}}}',
    good = function(status, body) return status == 200 and body:find('"__typename":"Success"', 1, true) end,
  },
}

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  good, overloaded, bad, sample = 0, 0, 0, ""
  sent = 0
  math.randomseed(1)
  kind, tag, pause = kinds[arguments[1]], arguments[2], tonumber(arguments[3])
  headers = { ["Content-Type"] = kind and kind.type or "application/json" }
  if arguments[4] and arguments[4] ~= "" then headers["Authorization"] = "Bearer " .. arguments[4] end
  if kind and kind.signs_in then
    addresses = {}
    for address in tag:gmatch("[^,]+") do table.insert(addresses, address) end
  end
  if not kind then
    -- Without a body it is a GET.
    local path, body = arguments[1]:match("^(%S+) ?(.*)$")
    request_text = wrk.format(body == "" and "GET" or "POST", path, headers, body ~= "" and body or nil)
  end
end

-- Between nothing and twice the pause, because thousands of clients do not send in step.
function delay() return pause > 0 and math.random(0, 2 * pause) or 0 end

function request()
  if not kind then return request_text end
  sent = sent + 1
  local email = addresses and addresses[sent % #addresses + 1]
    or string.format("%s-%d-%d@example.org", tag, number, sent)
  return wrk.format("POST", kind.path, headers, string.format(kind.body, email))
end

function response(status, headers, body)
  local is_good
  if kind then is_good = kind.good(status, body) else is_good = status == 200 and not body:find('"errors"', 1, true) end
  if is_good then
    good = good + 1
  elseif status == 503 and headers["Retry-After"] or headers["retry-after"] then
    overloaded = overloaded + 1
  else
    bad = bad + 1
    if sample == "" then sample = status .. " " .. body:sub(1, 200):gsub('[%c"\\]', " ") end
  end
end

function done(summary, latency)
  local total = { good = 0, overloaded = 0, bad = 0 }
  local shown = ""
  for _, thread in ipairs(threads) do
    for name in pairs(total) do total[name] = total[name] + thread:get(name) end
    if thread:get("sample") ~= "" then shown = thread:get("sample") end
  end
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '\n{"good":%d,"overloaded":%d,"bad":%d,"lost":%d,"seconds":%f,"p50":%f,"p95":%f,"p99":%f,"longest":%f,"sample":"%s"}\n',
    total.good, total.overloaded, total.bad, lost, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, latency.max / 1000, shown))
end
