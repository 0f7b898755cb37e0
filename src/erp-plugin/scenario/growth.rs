//! How the cost of a case grows with its rows: fixtures are inserted once, ten times, a hundred times.

use std::sync::Arc;

use erp_runtime::{LoadedPlugin, Runtime};

use super::measure::{CallCost, costs};
use super::plan::Case;
use super::world::Setup;

/// What a case cost with so many copies of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostSample {
    /// Copies of each row of its fixtures.
    pub copies: usize,
    /// Fuel of all calls.
    pub fuel: u64,
    /// Calls of the host.
    pub host_calls: u64,
    /// Rows that the host gave.
    pub rows: u64,
    /// Whether a call failed, as one does that reaches a bound.
    pub failed: bool,
}

/// Runs a case once for each number of copies, without its expectations. Empty where the world cannot be made.
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

/// The power of the number of rows by which the fuel grew between the first and the last cost: 0 for none, 1 for as
/// many times as there are rows, 2 for the square. None if there is nothing to compare.
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
