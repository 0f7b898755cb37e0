//! Known defects: where the current platform is laxer than its contract. The host is strict, and imitates the defects
//! on request, so that a developer can see both behaviours.

use erp_manifest::document::words;

words! {
    /// A known defect of the platform that a call encountered.
    pub enum Quirk {
        /// The writes of a failed call are kept.
        FailedWritesStay = "failed-writes-stay",
        /// A change with a stale row version is dropped and reported as a success.
        StaleVersionsPass = "stale-versions-pass",
        /// Invalid JSON counts as an empty object.
        BadJsonIsEmpty = "bad-json-is-empty",
        /// Writes of `init` are kept for the nil tenant.
        InitWritesForNobody = "init-writes-for-nobody",
        /// A change of a missing row is reported as a success.
        MissingRowsPass = "missing-rows-pass",
    }
}

impl Quirk {
    /// Returns a sentence about what the platform does.
    pub fn sentence(self) -> &'static str {
        match self {
            Quirk::FailedWritesStay => "the platform of today keeps what a failed call wrote",
            Quirk::StaleVersionsPass => "the platform of today drops a stale change and calls it a success",
            Quirk::InitWritesForNobody => {
                "the platform of today keeps what `init` writes for the tenant nil, where no tenant finds it"
            }
            Quirk::MissingRowsPass => "the platform of today calls a change of a row that is not there a success",
            Quirk::BadJsonIsEmpty => "the platform of today takes JSON that cannot be read for an empty object",
        }
    }
}
