//! Where the platform of today is laxer than its contract. The host is strict; asked to, it imitates these, so that a
//! developer can see both.

use erp_manifest::document::words;

words! {
    /// A known defect of the platform that a call met.
    pub enum Quirk {
        /// What a call wrote is kept although the call failed.
        FailedWritesStay = "failed-writes-stay",
        /// A change of a row that somebody else changed meanwhile is dropped, and called a success.
        StaleVersionsPass = "stale-versions-pass",
        /// JSON that cannot be read counts as an empty object.
        BadJsonIsEmpty = "bad-json-is-empty",
        /// What `init` writes is kept for no tenant.
        InitWritesForNobody = "init-writes-for-nobody",
        /// A change of a row that is not there is called a success.
        MissingRowsPass = "missing-rows-pass",
    }
}

impl Quirk {
    /// What the platform does, as a sentence.
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
