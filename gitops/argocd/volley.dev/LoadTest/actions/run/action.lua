-- Starts one more run of this LoadTest. Its name follows from the second, so that a double click starts one run.
local os = require("os")

local run = {
  apiVersion = "volley.dev/v1alpha1",
  kind = "LoadTestRun",
  metadata = {
    name = obj.metadata.name .. "-" .. os.date("!%Y%m%d%H%M%S"),
    namespace = obj.metadata.namespace,
  },
  spec = {loadTest = obj.metadata.name},
}
return {{operation = "create", resource = run}}
