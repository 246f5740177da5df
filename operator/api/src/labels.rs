//! Labels, annotations, finalizers and field managers. Not safe to change: objects of an older release carry them.

/// Name of the installation that owns an object.
pub const INSTALLATION: &str = "volley.dev/installation";
/// Uid of the run that an object belongs to.
pub const RUN_UID: &str = "volley.dev/run-uid";
/// Name of the LoadTest that a run executes.
pub const LOAD_TEST: &str = "volley.dev/load-test";
/// Name of the RegionTarget that a worker runs in.
pub const TARGET: &str = "volley.dev/target";
/// `worker` or `aggregator`.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Always [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Always [`MANAGER`].
pub const NAME: &str = "app.kubernetes.io/name";

/// Annotation of a LoadTest: `v1:<digest>:<generation>` of the definition that last triggered a run. It alone decides.
pub const TRIGGERED: &str = "volley.dev/triggered";
/// Annotation of a LoadTestRun: when it ended. A run that carries it is never executed again.
pub const FINISHED: &str = "volley.dev/finished";

/// Label of a Secret that holds the kubeconfig of a RegionTarget; its value is `true`. The operator reads no other Secret.
pub const KUBECONFIG: &str = "volley.dev/kubeconfig";
/// Beginning of an annotation of a RegionTarget: a run that ended while the target's cluster could not be reached, so that its
/// objects may still be there. The run's uid follows; the value is `namespace/name`.
pub const LEFTOVER_PREFIX: &str = "leftover.volley.dev/";

/// Finalizer of a LoadTestRun.
pub const RUN_FINALIZER: &str = "volley.dev/run";
/// Finalizer of a RegionTarget. It is there only while runs use the target, so that an uninstalled operator leaves none behind.
pub const TARGET_FINALIZER: &str = "volley.dev/region-target";

/// Field manager of the operator, and the value of [`MANAGED_BY`].
pub const MANAGER: &str = "volley";
/// Field manager that writes `status.active` of a LoadTest, and nothing else.
pub const CLAIM_MANAGER: &str = "volley-claim";
/// Field manager of the aggregator.
pub const AGGREGATOR_MANAGER: &str = "volley-aggregator";
