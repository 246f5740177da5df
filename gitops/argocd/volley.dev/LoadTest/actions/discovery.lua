-- A run can be started while the definition can be run and no other run is under way.
local status = obj.status or {}
local ready = false
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition.status == "True"
  end
end
local busy = status.runs ~= nil and status.runs.active > 0

local actions = {}
actions["run"] = {disabled = busy or not ready, iconClass = "fa fa-fw fa-play", displayName = "Run"}
return actions
