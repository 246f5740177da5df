-- Health of a LoadTestRun, as kstatus sees it: under way, failed, or settled. A run that was stopped or skipped is settled: somebody
-- wanted it so. Its verdict stands in the message.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to see this run"}
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end

local finished, succeeded, stalled = conditions["Finished"], conditions["Succeeded"], conditions["Stalled"]
if finished == nil or succeeded == nil or stalled == nil or finished.status ~= "True" then
  local message = obj.status.phase or "Pending"
  local live = obj.status.live
  if live ~= nil then
    message = message .. ": " .. live.requestRate .. ", errors " .. live.errorRate
    if live.p95 ~= nil then
      message = message .. ", p95 " .. live.p95
    end
  elseif finished ~= nil and finished.message ~= "" then
    message = message .. ": " .. finished.message
  end
  return {status = "Progressing", message = message}
end

local message = succeeded.reason .. ": " .. succeeded.message
if obj.status.result ~= nil then
  message = message .. " (verdict " .. obj.status.result.verdict .. ")"
end
if stalled.status == "True" then
  return {status = "Degraded", message = message}
end
return {status = "Healthy", message = message}
