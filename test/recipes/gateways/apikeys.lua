-- /etc/haproxy/apikeys.lua: asks the gate about the key of a request. Whatever goes wrong here leaves
-- txn.apikey_status as it is, and haproxy.cfg lets nothing pass but a 200 in it.
local socket = "unix@/run/apikeys-gate/gate.sock"
local told = { "id", "owner", "role", "scopes", "scopes-omitted", "stale" }

core.register_action("apikeys", { "http-req" }, function(txn)
  local keys, presented = {}, txn.http:req_get_headers()["x-api-key"] or {}
  for i = 0, 1 do -- two are as good as any more: none passes
    if presented[i] ~= nil then table.insert(keys, presented[i]) end
  end
  local answer = core.httpclient():get({
    url = "http://gate/forward/web",
    dst = socket,
    timeout = 1000, -- four times before HAProxy 2.8; since then write httpclient.retries 0 in global, and 3000 here
    headers = {
      ["host"] = { "gate" },
      ["x-api-key"] = keys,
      ["x-required-scopes"] = { txn:get_var("txn.required_scopes") },
      ["x-client-ip"] = { txn.sf:src() },
    },
  })
  if answer == nil then return end
  local function header(name)
    local values = answer.headers and answer.headers[name]
    return values and values[0] or ""
  end
  for _, name in ipairs(told) do
    txn:set_var("txn.apikey_" .. name:gsub("-", "_"), header("x-apikey-" .. name))
  end
  txn:set_var("txn.apikey_code", header("x-apikey-code"))
  txn:set_var("txn.apikey_retry", header("retry-after"))
  txn:set_var("txn.apikey_status", answer.status)
end, 0)
