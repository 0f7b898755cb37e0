//! Measures how the cost of a case grows with its rows: it runs with several numbers of copies of its fixtures.

use std::sync::Arc;

use erp_runtime::{LoadedPlugin, Runtime};

use super::measure::{CallCost, costs};
use super::plan::Case;
use super::world::Setup;

/// The cost of a case with a number of copies of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostSample {
    /// Copies of each row of its fixtures.
    pub copies: usize,
    /// Fuel of all calls.
    pub fuel: u64,
    /// Host calls.
    pub host_calls: u64,
    /// Rows that the host returned.
    pub rows: u64,
    /// Whether a call failed, for example because it reached a limit.
    pub failed: bool,
}

/// Runs a case once for each number of copies, without its expectations. Numbers whose world cannot be built are left
/// out.
pub fn growth(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>, scales: &[usize]) -> Vec<CostSample> {
    scales.iter().filter_map(|copies| cost(runtime, plugin, case, *copies)).collect()
}

fn cost(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>, copies: usize) -> Option<CostSample> {
    let setup = Setup { copies, ..Setup::default() };
    let calls = costs(runtime, plugin, case, &setup)?;
    let sum = |of: fn(&CallCost) -> u64| calls.iter().map(of).sum();
    Some(CostSample {
        copies,
        fuel: sum(|call| call.fuel),
        host_calls: sum(|call| call.host_calls),
        rows: sum(|call| call.rows),
        failed: calls.iter().any(|call| call.failed),
    })
}

/// The exponent of growth: the fuel grew with this power of the number of rows, between the first and the last sample.
/// 0 is no growth, 1 is proportional, 2 is the square. None where no two samples can be compared.
pub fn exponent(costs: &[CostSample]) -> Option<f64> {
    let (first, last) = (costs.first()?, costs.last()?);
    if first.copies >= last.copies || first.fuel == 0 {
        return None;
    }
    let grown = last.fuel as f64 / first.fuel as f64;
    let rows = last.copies as f64 / first.copies as f64;
    Some((grown.ln() / rows.ln()).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_as_a_power() {
        let cost = |copies, fuel| CostSample { copies, fuel, host_calls: 0, rows: 0, failed: false };
        let power = |costs: &[CostSample]| exponent(costs).map(|power| (power * 10.0).round() / 10.0);
        assert_eq!(power(&[cost(1, 1_000), cost(10, 1_000)]), Some(0.0));
        assert_eq!(power(&[cost(1, 1_000), cost(10, 10_000)]), Some(1.0));
        assert_eq!(power(&[cost(1, 1_000), cost(100, 10_000_000)]), Some(2.0));
        assert_eq!(power(&[cost(1, 1_000)]), None);
    }
}
