//! Which cases run, in which order, on how many threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use erp_manifest::digest::sha256_hex;

use crate::scenario::{Case, CaseResult};

/// One part of the cases, such as 1/4.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partition {
    part: u64,
    parts: u64,
}

impl std::str::FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Partition, String> {
        let bad = || "write it like 1/4".to_owned();
        let (part, parts) = text.split_once('/').ok_or_else(bad)?;
        let (part, parts) = (part.parse().map_err(|_| bad())?, parts.parse().map_err(|_| bad())?);
        if (1..=parts).contains(&part) { Ok(Partition { part, parts }) } else { Err(bad()) }
    }
}

impl Partition {
    /// Whether a case is in the part. Only its file and name count, so that new cases do not move others.
    pub(super) fn holds(self, case: &Case<'_>) -> bool {
        let digest = sha256_hex(format!("{}\n{}", case.suite.source.path().display(), case.name()).as_bytes());
        let number = u64::from_str_radix(&digest[..15], 16).unwrap_or(0);
        number % self.parts == self.part - 1
    }
}

/// The order in which the cases run, as indices. `shuffle` is a seed.
pub(super) fn order(count: usize, shuffle: Option<u64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if let Some(seed) = shuffle {
        order.sort_by_cached_key(|index| sha256_hex(format!("{seed} {index}").as_bytes()));
    }
    order
}

/// Runs the cases on `jobs` threads. The results are in the order of the cases.
pub(super) fn run_all(
    cases: &[Case<'_>],
    order: &[usize],
    jobs: usize,
    run: impl Fn(&Case<'_>) -> CaseResult + Sync,
) -> Vec<CaseResult> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, CaseResult)>> = Mutex::new(Vec::with_capacity(cases.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((index, case)) =
                    order.get(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((*index, cases.get(*index)?)))
                {
                    let result = run(case);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
