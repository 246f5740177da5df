-- Starts a run of the same LoadTest as it is defined now. Its name follows from the second, so that a double click starts one run.
local os = require("os")

local run = {
  apiVersion = "volley.dev/v1alpha1",
  kind = "LoadTestRun",
  metadata = {
    name = obj.spec.loadTest .. "-" .. os.date("!%Y%m%d%H%M%S"),
    namespace = obj.metadata.namespace,
  },
  spec = {loadTest = obj.spec.loadTest},
}
return {{operation = "create", resource = run}}
