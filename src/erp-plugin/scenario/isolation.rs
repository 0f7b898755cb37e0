//! Checks that tenants do not affect one another. A case runs alone, and again with another tenant that does the same
//! between its steps. Everything that the case sees, reads, publishes and burns must be the same to the byte.

use std::sync::Arc;

use erp_check::scenarios::{SCENARIO_ISOLATION, SCENARIO_NAME};
use erp_manifest::TenantId;
use erp_manifest::diagnostics::{Diagnostic, Report};
use erp_runtime::{LoadedPlugin, Runtime, Surroundings};
use serde_json::{Value, json};

use super::observation::observation;
use super::plan::Case;
use super::runner::step_span;
use super::substitute::Names;
use super::world::{CaseWorld, Finding, Setup};

/// The tenant that does the same between the steps. A file that uses this name is refused.
const NEIGHBOUR: &str = "neighbour";

/// Runs a case alone and with a neighbour, and reports the first difference.
pub fn check_isolation(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>) -> Report {
    let mut report = Report::new();
    let Some(neighbour) = TenantId::new(NEIGHBOUR) else { return report };
    let setup = Setup { neighbour: Some(neighbour.clone()), ..Setup::default() };
    let alone = run(runtime, plugin, case, &setup, None);
    let beside = run(runtime, plugin, case, &setup, Some(&neighbour));
    let (alone, beside) = match (alone, beside) {
        (Ok(alone), Ok(beside)) => (alone, beside),
        // Nothing was checked, and the report must say so.
        (alone, beside) => {
            let why = alone.err().or(beside.err()).map_or_else(String::new, |finding| finding.message);
            let message = format!("the case cannot be run beside another tenant: {why}");
            let finding = Diagnostic::new(SCENARIO_ISOLATION, message).in_source(&case.suite.source);
            let help = "if the case passes alone, something is shared: a unique value, a number, a key";
            report.push(finding.at(case.test.name.span(), "not shown to be isolated").help(help));
            return report;
        }
    };
    for (index, (alone, beside)) in alone.iter().zip(&beside).enumerate() {
        if alone == beside {
            continue;
        }
        let Some(step) = case.test.step.get(index) else { continue };
        let (path, was, is) = first_difference(alone, beside, String::new());
        let message = format!("step {} sees what another tenant does: {path}", index + 1);
        let label = format!("alone {}, beside it {}", super::compare::show(was), super::compare::show(is));
        let help = "read and write through the host, and let no row, key or name be shared by tenants";
        let finding = Diagnostic::new(SCENARIO_ISOLATION, message).in_source(&case.suite.source);
        report.push(finding.at(step_span(step), label).help(help));
        break;
    }
    report
}

/// Returns what each step of the case did, with the rows after the step.
fn run(
    runtime: &Arc<Runtime>,
    plugin: &LoadedPlugin,
    case: &Case<'_>,
    setup: &Setup,
    neighbour: Option<&TenantId>,
) -> Result<Vec<Value>, Finding> {
    let mut world = CaseWorld::build(runtime, plugin, case, setup)?;
    let named = case.suite.file.world.users.values().map(|user| user.tenant.as_str());
    if named
        .chain(case.suite.file.fixture.values().map(|fixture| fixture.tenant.as_str()))
        .any(|name| name == NEIGHBOUR)
    {
        let message = format!("`{NEIGHBOUR}` is the name of the tenant that is added; take another one");
        return Err(world.finding(SCENARIO_NAME, case.test.name.span(), message, "here"));
    }
    let mut other = neighbour.map(|tenant| {
        let seed = case.suite.file.world.seed ^ 0x5eed;
        Neighbour {
            tenant: tenant.clone(),
            names: world.names.clone(),
            surroundings: Surroundings::fixed(world.platform.now(), seed)
                .with_transport(Arc::clone(&case.suite.cassette) as Arc<dyn erp_manifest::outgoing::HttpTransport>),
        }
    });
    if let Some(other) = &mut other {
        other.swap_in(&mut world);
        let moved_in = world.insert_fixtures(case);
        other.swap_out(&mut world);
        moved_in?;
    }
    let mut seen = Vec::new();
    for step in &case.test.step {
        if let Some(other) = &mut other {
            other.swap_in(&mut world);
            // The neighbour's own outcome does not matter.
            if let Ok(performed) = world.perform(step) {
                let _ = world.capture(step, &performed.outcome);
            }
            world.platform.surroundings().clear_faults();
            world.platform.take_activity();
            other.swap_out(&mut world);
        }
        let performed = world.perform(step)?;
        let activity = world.platform.take_activity();
        let fuel: Vec<u64> = activity.calls.iter().map(|call| call.trace.fuel).collect();
        let mut did = observation(&performed.outcome, &activity);
        did["fuel"] = json!(fuel);
        did["tables"] = world.rows_of(&performed.tenant);
        // Routes of the dev host report on all tenants.
        let is_about_all =
            step.http.as_ref().and_then(|http| http.as_str()).is_some_and(|text| text.contains(" /_dev/"));
        seen.push(if is_about_all { Value::Null } else { did });
        world.capture(step, &performed.outcome)?;
    }
    Ok(seen)
}

/// The state of the neighbour: its ids come from another seed, and it has its own clock.
struct Neighbour {
    tenant: TenantId,
    names: Names,
    surroundings: Surroundings,
}

impl Neighbour {
    fn swap_in(&mut self, world: &mut CaseWorld<'_>) {
        world.stand_in = Some(self.tenant.clone());
        self.swap(world);
    }

    fn swap_out(&mut self, world: &mut CaseWorld<'_>) {
        world.stand_in = None;
        self.swap(world);
    }

    fn swap(&mut self, world: &mut CaseWorld<'_>) {
        std::mem::swap(&mut self.names, &mut world.names);
        let own = std::mem::replace(&mut self.surroundings, Surroundings::of_this_machine());
        self.surroundings = std::mem::replace(&mut *world.platform.surroundings(), own);
    }
}

/// The path of the first difference between two values, and both values there.
fn first_difference<'v>(was: &'v Value, is: &'v Value, path: String) -> (String, Option<&'v Value>, Option<&'v Value>) {
    match (was, is) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys = left.keys().chain(right.keys());
            let differs = |key: &&String| left.get(*key) != right.get(*key);
            match keys.find(differs) {
                Some(key) => match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => first_difference(left, right, format!("{path}.{key}")),
                    (left, right) => (format!("{path}.{key}"), left, right),
                },
                None => (path, Some(was), Some(is)),
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            match left.iter().zip(right).position(|(left, right)| left != right) {
                Some(index) => first_difference(&left[index], &right[index], format!("{path}[{index}]")),
                None => (path, Some(was), Some(is)),
            }
        }
        _ => (path.trim_start_matches('.').to_owned(), Some(was), Some(is)),
    }
}
