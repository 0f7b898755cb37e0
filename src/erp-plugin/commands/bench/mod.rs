//! `erp-plugin bench`.

mod flame;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use erp_manifest::ByteSize;
use erp_manifest::exit_code::ExitCode;
use erp_runtime::{Compilation, LoadedPlugin, Probe, Runtime};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::test::read_suites;
use crate::command_error::{CommandError, codes};
use crate::commands::present_component::{ComponentArgs, PresentComponent, Purpose};
use crate::context::Context;
use crate::scenario::{CallCost, Case, Suite, measure};
use crate::ui::Table;

/// Number of instances created to measure the time for one.
const INSTANCES: usize = 200;
/// A flame graph samples one instruction in this many. The number is odd, so that no loop escapes the samples.
const SAMPLE_EVERY: u64 = 37;

/// Measure the plugin: compiling, instances, and the time, fuel and memory of each call that the scenarios make
///
/// Fuel and memory are exact and the same on every machine; times are of this machine and this run.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only cases whose name holds this text
    filter: Option<String>,
    /// How often each case runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: usize,
    /// Write a flame graph by fuel: which functions burn how much of it, as SVG
    #[arg(long, value_name = "FILE")]
    flamegraph: Option<PathBuf>,
    #[command(flatten)]
    component: ComponentArgs,
}

/// What the plugin costs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BenchResult {
    ok: bool,
    /// Bytes of the component.
    component_bytes: u64,
    /// Compiling it, in milliseconds.
    compile_ms: f64,
    /// Loading it from the cache of compiled code, in milliseconds; none if there is no cache.
    cached_ms: Option<f64>,
    /// Making an instance and dropping it, in microseconds: the median of 200.
    instantiate_us: f64,
    /// The calls, by what was called.
    calls: Vec<BenchCall>,
}

/// What one kind of call costs.
#[derive(Debug, Serialize, JsonSchema)]
struct BenchCall {
    /// What was called.
    call: String,
    /// How many calls were measured.
    samples: usize,
    /// The median, in microseconds: instance, guest, host calls and transaction.
    median_us: f64,
    /// Nineteen of twenty were faster, in microseconds.
    p95_us: f64,
    /// The least fuel of a call.
    fuel_min: u64,
    /// The most fuel of a call.
    fuel_max: u64,
    /// The most memory of a call, in bytes.
    memory_bytes: u64,
    /// The most calls of the host in one call.
    host_calls: u64,
}

pub(super) fn run(context: &Context, args: &BenchArgs) -> CommandResult {
    let open = context.open_project()?;
    let PresentComponent { bytes: component, report, .. } =
        context.present_component(&open, &args.component, Purpose::Ship)?;
    let suites = read_suites(context, &open, report, false)?;
    let wanted = |case: &Case<'_>| args.filter.as_ref().is_none_or(|filter| case.name().contains(filter.as_str()));
    let cases: Vec<Case<'_>> = suites.iter().flat_map(Suite::cases).filter(wanted).collect();
    if cases.is_empty() {
        return Err(CommandError::new(codes::NO_TESTS, "no case of a scenario calls anything to measure"));
    }

    let with_lines = open.with_lines(component.clone());
    let manifest = Arc::new(open.manifest);
    let (_, compiling) = timed(|| {
        Runtime::new(Compilation { cache: None, ..context.compilation() })?.load(&component, Arc::clone(&manifest))
    })?;
    let runtime = context.runtime()?;
    let first = runtime.load(&component, Arc::clone(&manifest))?;
    let has_cache = first.from_cache || runtime.load(&component, Arc::clone(&manifest))?.from_cache;
    let (plugin, loading) = timed(|| runtime.load(&component, Arc::clone(&manifest)))?;
    let mut costs: BTreeMap<String, Vec<CallCost>> = BTreeMap::new();
    for _ in 0..args.rounds.max(1) {
        for cost in cases.iter().flat_map(|case| measure(&runtime, &plugin, case, None)) {
            costs.entry(cost.label.clone()).or_default().push(cost);
        }
    }
    let result = BenchResult {
        ok: true,
        component_bytes: component.len() as u64,
        compile_ms: milliseconds(compiling),
        cached_ms: has_cache.then(|| milliseconds(loading)),
        instantiate_us: instantiation(&runtime, &plugin)?,
        calls: costs.into_iter().map(|(call, costs)| bench_call(call, &costs)).collect(),
    };
    if let Some(file) = &args.flamegraph {
        let stacks = stacks(context, &with_lines, &manifest, &cases)?;
        let file = context.path(file);
        erp_files::write_if_changed(&file, flame::svg(&stacks).as_bytes())?;
        context.ui.status("Wrote", context.shown(&file));
    }
    context.ui.result(&result, || shown(&result));
    Ok(ExitCode::Ok)
}

/// The fuel that the cases burn, by call stack.
fn stacks(
    context: &Context,
    component: &[u8],
    manifest: &Arc<erp_manifest::Manifest>,
    cases: &[Case<'_>],
) -> Result<BTreeMap<Vec<String>, u64>, CommandError> {
    let runtime = context.runtime_for_probes()?;
    let plugin = runtime.load(component, Arc::clone(manifest))?;
    let probe = Probe::for_fuel(SAMPLE_EVERY);
    for case in cases {
        measure(&runtime, &plugin, case, Some(probe.clone()));
    }
    Ok(probe.stacks())
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), E> {
    let started = Instant::now();
    let done = work()?;
    Ok((done, started.elapsed()))
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 1e2
}

fn microseconds(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 100.0).round() / 10.0
}

fn instantiation(runtime: &Runtime, plugin: &LoadedPlugin) -> Result<f64, CommandError> {
    let times = runtime.instantiation_times(plugin, INSTANCES)?;
    let mut times: Vec<u64> = times.iter().map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).collect();
    times.sort_unstable();
    Ok(microseconds(quantile(&times, 0.5)))
}

/// The value below which the fraction `part` of the sorted values lies; 0 if there are no values.
fn quantile(sorted: &[u64], part: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the values")]
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or(0)
}

fn bench_call(call: String, costs: &[CallCost]) -> BenchCall {
    let mut times: Vec<u64> = costs.iter().map(|cost| cost.nanoseconds).collect();
    times.sort_unstable();
    let most = |of: fn(&CallCost) -> u64| costs.iter().map(of).max().unwrap_or(0);
    BenchCall {
        call,
        samples: costs.len(),
        median_us: microseconds(quantile(&times, 0.5)),
        p95_us: microseconds(quantile(&times, 0.95)),
        fuel_min: costs.iter().map(|cost| cost.fuel).min().unwrap_or(0),
        fuel_max: most(|cost| cost.fuel),
        memory_bytes: most(|cost| cost.memory),
        host_calls: most(|cost| cost.host_calls),
    }
}

fn shown(result: &BenchResult) -> String {
    let mut head = Table::new();
    head.row(["component".to_owned(), ByteSize(result.component_bytes).to_string()]);
    head.row(["compile".to_owned(), format!("{:.1} ms", result.compile_ms)]);
    if let Some(cached) = result.cached_ms {
        head.row(["from the cache".to_owned(), format!("{cached:.2} ms")]);
    }
    head.row(["instantiate".to_owned(), format!("{:.1} µs", result.instantiate_us)]);
    let mut calls = Table::new();
    calls.row(["call", "median", "p95", "fuel", "memory", "host"].map(str::to_owned));
    for call in &result.calls {
        let fuel = if call.fuel_min == call.fuel_max {
            call.fuel_max.to_string()
        } else {
            format!("{}–{}", call.fuel_min, call.fuel_max)
        };
        calls.row([
            call.call.clone(),
            format!("{:.0} µs", call.median_us),
            format!("{:.0} µs", call.p95_us),
            fuel,
            ByteSize(call.memory_bytes).to_string(),
            call.host_calls.to_string(),
        ]);
    }
    format!("{}\n{}", head.render(), calls.render())
}
