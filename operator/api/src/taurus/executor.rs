//! The executors that the worker image has.

/// An executor of Taurus that the worker image can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Executor {
    /// Apache JMeter.
    Jmeter,
    /// Locust.
    Locust,
    /// Apiritif, Taurus' own.
    Apiritif,
    /// Molotov.
    Molotov,
    /// Siege. Its samples come through Taurus' reader: whole seconds, and only requests that were answered.
    Siege,
}

impl Executor {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Jmeter, Self::Locust, Self::Apiritif, Self::Molotov, Self::Siege];

    /// The name in Taurus' `executor`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jmeter => "jmeter",
            Self::Locust => "locust",
            Self::Apiritif => "apiritif",
            Self::Molotov => "molotov",
            Self::Siege => "siege",
        }
    }

    /// The executor of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|executor| executor.as_str() == name)
    }

    /// What `modules.<executor>` may set. Everything else there is Volley's: which program runs and where it writes its samples.
    pub(super) fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Jmeter => &["properties", "system-properties", "memory-xmx", "force-ctg"],
            Self::Apiritif => &["verbose"],
            Self::Locust | Self::Molotov | Self::Siege => &[],
        }
    }
}

/// `a, b, c`, for messages.
pub(super) fn names() -> String {
    Executor::ALL.map(Executor::as_str).join(", ")
}
