-- A run can be stopped until it has ended, once. It can be run again when it has ended: before, the second run would be refused.
local ended = false
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "Finished" then
    ended = condition.status == "True"
  end
end

local actions = {}
actions["stop"] = {disabled = ended or obj.spec.stop ~= nil, iconClass = "fa fa-fw fa-stop", displayName = "Stop"}
actions["run-again"] = {disabled = not ended, iconClass = "fa fa-fw fa-redo", displayName = "Run again"}
return actions
