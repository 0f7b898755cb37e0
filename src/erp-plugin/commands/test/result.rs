//! What `test` prints.

use std::sync::Arc;
use std::time::Instant;

use erp_manifest::diagnostics::DiagnosticJson;
use erp_runtime::{LoadedPlugin, Runtime};
use schemars::JsonSchema;
use serde::Serialize;

use super::coverage::CoverageJson;
use crate::scenario::{Case, CaseResult, exponent, growth};
use crate::ui::Table;

/// How the tests went.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::commands) struct TestResult {
    pub(super) ok: bool,
    /// Cases that passed.
    pub(super) passed: usize,
    /// Cases that failed.
    pub(super) failed: usize,
    /// Cases that the filter left out.
    pub(super) skipped: usize,
    /// Runs in which a call of the host failed, with --explore.
    pub(super) faults: usize,
    /// What a whole run tells about the plugin.
    pub(super) findings: Vec<DiagnosticJson>,
    /// The cases that ran, in the order of the files.
    pub(super) cases: Vec<CaseJson>,
    /// How the cost of the cases grows, with --scale.
    pub(super) growth: Vec<GrowthJson>,
    /// Which lines were reached, with --coverage.
    pub(super) coverage: Option<CoverageJson>,
}

/// How the cost of a case grows with its rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GrowthJson {
    /// The name of the case.
    pub(super) name: String,
    /// The power of the number of rows by which fuel grows: 1 is in proportion.
    pub(super) power: Option<f64>,
    /// What it cost.
    pub(super) costs: Vec<CostJson>,
}

/// What a case cost.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CostJson {
    /// How often each row of the fixtures was there.
    pub(super) copies: usize,
    /// Fuel of all calls.
    pub(super) fuel: u64,
    /// Calls of the host.
    pub(super) host_calls: u64,
    /// Rows that the host gave.
    pub(super) rows: u64,
    /// Whether a call failed.
    pub(super) failed: bool,
}

/// A case that ran.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CaseJson {
    /// The file.
    pub(super) file: String,
    /// The name of the case.
    pub(super) name: String,
    pub(super) ok: bool,
    /// How long it took, in milliseconds.
    pub(super) milliseconds: f64,
    /// Fuel of all its calls.
    pub(super) fuel: u64,
    /// The most memory that one of its calls had, in bytes.
    pub(super) memory_bytes: u64,
    /// Calls of the plugin.
    pub(super) calls: usize,
    /// Why it failed.
    pub(super) findings: Vec<DiagnosticJson>,
}

/// How the cost of the cases grows with their rows. Cases without fixtures are left out.
pub(super) fn grown(
    runtime: &Arc<Runtime>,
    plugin: &LoadedPlugin,
    cases: &[Case<'_>],
    scales: &[usize],
) -> Vec<GrowthJson> {
    if scales.is_empty() {
        return Vec::new();
    }
    let with_rows = cases.iter().filter(|case| !case.test.r#use.is_empty());
    with_rows
        .map(|case| {
            let costs = growth(runtime, plugin, case, scales);
            (case, costs)
        })
        // A case that never calls the plugin burns no fuel.
        .filter(|(_, costs)| costs.iter().any(|cost| cost.fuel > 0))
        .map(|(case, costs)| GrowthJson {
            name: case.name(),
            power: exponent(&costs).map(|power| (power * 100.0).round() / 100.0),
            costs: costs
                .iter()
                .map(|cost| CostJson {
                    copies: cost.copies,
                    fuel: cost.fuel,
                    host_calls: cost.host_calls,
                    rows: cost.rows,
                    failed: cost.failed,
                })
                .collect(),
        })
        .collect()
}

/// The summary of a run, as text.
pub(super) fn summary(result: &TestResult, started: Instant) -> String {
    let mut text = String::new();
    if !result.growth.is_empty() {
        for growth in &result.growth {
            let mut table = Table::new();
            table.row(["  copies", "fuel", "host calls", "rows"].map(str::to_owned));
            for cost in &growth.costs {
                table.row([
                    format!("  {}", cost.copies),
                    format!("{}{}", cost.fuel, if cost.failed { " (failed)" } else { "" }),
                    cost.host_calls.to_string(),
                    cost.rows.to_string(),
                ]);
            }
            let power = growth.power.map_or_else(String::new, |power| format!(": fuel grows with rows^{power}"));
            text.push_str(&format!("{}{power}\n{}\n", growth.name, table.render()));
        }
    }
    if let Some(coverage) = &result.coverage {
        text.push_str(&format!("{}\n", coverage.shown()));
    }
    let skipped = if result.skipped > 0 { format!(", {} skipped", result.skipped) } else { String::new() };
    let faults = if result.faults > 0 { format!(", {} faults tried", result.faults) } else { String::new() };
    let seconds = started.elapsed().as_secs_f64();
    text.push_str(&format!("{} passed, {} failed{skipped}{faults} in {seconds:.2} s", result.passed, result.failed));
    text
}

/// The result of a case, as JSON.
pub(super) fn case_json(case: &Case<'_>, result: &CaseResult) -> CaseJson {
    CaseJson {
        file: case.suite.source.path().display().to_string(),
        name: result.name.clone(),
        ok: result.report.is_empty(),
        milliseconds: (result.duration.as_secs_f64() * 1e5).round() / 1e2,
        fuel: result.fuel,
        memory_bytes: result.memory,
        calls: result.calls,
        findings: result.report.diagnostics().iter().map(DiagnosticJson::from).collect(),
    }
}
