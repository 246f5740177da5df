-- Health of a LoadTest, as kstatus and so `helm --wait` see it: the operator's conditions Reconciling and Stalled decide. With trigger
-- Once and OnChange they follow the run, with Manual only the definition.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to see this definition"}
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end

local reconciling, stalled, ready = conditions["Reconciling"], conditions["Stalled"], conditions["Ready"]
if reconciling == nil or stalled == nil or ready == nil then
  return {status = "Progressing", message = "Waiting for the operator's first word"}
end
if reconciling.status == "True" then
  return {status = "Progressing", message = reconciling.message}
end
if stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
-- The run that went well, where one decides.
if reconciling.message ~= "" then
  return {status = "Healthy", message = reconciling.message}
end
return {status = "Healthy", message = ready.message}
