-- Health of a RegionTarget: its condition Ready. A target that cannot be reached heals by itself and is Degraded all the same, because
-- no run starts there meanwhile.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to probe this target"}
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end

local ready, leftovers = conditions["Ready"], conditions["Leftovers"]
if ready == nil or ready.status == "Unknown" then
  return {status = "Progressing", message = "Waiting for the first probe"}
end
local message = ready.message
if leftovers ~= nil and leftovers.status == "True" then
  message = message .. ". " .. leftovers.message
end
if ready.status ~= "True" then
  return {status = "Degraded", message = message}
end
if ready.reason == "Paused" then
  return {status = "Suspended", message = message}
end
return {status = "Healthy", message = message}
