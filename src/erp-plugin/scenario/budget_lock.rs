//! `tests/budget.lock.toml`: the exact fuel of each case, which detects slower code without noise.

use std::collections::BTreeMap;

use erp_check::scenarios::SCENARIO_BUDGET;
use erp_component::{BuildInputs, ComponentOrigin};
use erp_manifest::diagnostics::Diagnostic;
use toml::{Table, Value};

use super::{Case, CaseResult};

/// Fuel depends neither on the machine nor on the compiler of WebAssembly, but it may change with the compiler's
/// version.
const ENGINE: &str = "wasmtime 48";
/// The default for the growth that a case may have over its locked fuel, in percent.
pub const DEFAULT_RATCHET: f64 = 3.0;

/// The conditions that the fuel of a case depends on, in addition to the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockConditions {
    /// `debug`, `release` or `file`; empty in old lock files.
    pub profile: String,
    /// The compiler; empty where it is unknown.
    pub compiler: String,
    /// The engine that compiles WebAssembly.
    engine: String,
}

impl LockConditions {
    /// The conditions of a component, from the record of its build.
    pub fn of(inputs: Option<&BuildInputs>) -> LockConditions {
        let origin = inputs.map(|inputs| inputs.origin);
        let profile = match origin {
            Some(ComponentOrigin::Debug) => "debug",
            Some(ComponentOrigin::Release) => "release",
            Some(ComponentOrigin::File) | None => "file",
        };
        LockConditions {
            profile: profile.to_owned(),
            compiler: inputs.and_then(|inputs| inputs.compiler.clone()).unwrap_or_default(),
            engine: ENGINE.to_owned(),
        }
    }

    /// The reason why figures of these conditions cannot be compared with others; none where they can.
    fn difference(&self, present: &LockConditions) -> Option<String> {
        let profile = |conditions: &LockConditions| match conditions.profile.as_str() {
            "file" => "a component from elsewhere".to_owned(),
            "" => "an unknown build".to_owned(),
            profile => format!("a {profile} build"),
        };
        if self.profile != present.profile {
            return Some(format!("it is of {}, and this is {}", profile(self), profile(present)));
        }
        let pairs = [(&self.compiler, &present.compiler), (&self.engine, &present.engine)];
        let other = pairs.into_iter().find(|(locked, present)| locked != present);
        other.map(|(locked, present)| format!("it was made with {locked}, and this is {present}"))
    }
}

/// The fuel of cases, by file and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetLock {
    conditions: LockConditions,
    fuel: BTreeMap<String, BTreeMap<String, u64>>,
}

impl BudgetLock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// The reason why the text cannot be read.
    pub fn parse(text: &str) -> Result<BudgetLock, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conditions =
            LockConditions { profile: text("profile"), compiler: text("compiler"), engine: text("engine") };
        let mut lock = BudgetLock { conditions, fuel: BTreeMap::new() };
        for (file, cases) in table.get("fuel").and_then(Value::as_table).into_iter().flatten() {
            for (name, fuel) in cases.as_table().into_iter().flatten() {
                let fuel = fuel.as_integer().and_then(|fuel| u64::try_from(fuel).ok());
                let fuel = fuel.ok_or_else(|| format!("the fuel of `{name}` is no number"))?;
                lock.fuel.entry(file.clone()).or_default().insert(name.clone(), fuel);
            }
        }
        Ok(lock)
    }

    /// A lock without cases.
    pub fn empty(conditions: LockConditions) -> BudgetLock {
        BudgetLock { conditions, fuel: BTreeMap::new() }
    }

    /// The reason why the lock does not apply to a component of these conditions; none where it applies.
    pub fn difference(&self, present: &LockConditions) -> Option<String> {
        self.conditions.difference(present)
    }

    /// Creates the lock of cases that ran.
    pub fn of<'r>(
        ran: impl IntoIterator<Item = (&'r Case<'r>, &'r CaseResult)>,
        conditions: LockConditions,
    ) -> BudgetLock {
        let mut lock = BudgetLock::empty(conditions);
        for (case, result) in ran {
            lock.fuel.entry(file_of(case)).or_default().insert(result.name.clone(), result.fuel);
        }
        lock
    }

    /// Replaces cases by those of a newer lock; cases that the newer lock lacks stay.
    #[must_use]
    pub fn updated(mut self, newer: BudgetLock) -> BudgetLock {
        for (file, cases) in newer.fuel {
            self.fuel.entry(file).or_default().extend(cases);
        }
        self
    }

    /// Returns the text of the lock file.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        let LockConditions { profile, compiler, engine } = &self.conditions;
        for (key, value) in [("profile", profile), ("compiler", compiler), ("engine", engine)] {
            table.insert(key.to_owned(), Value::String(value.clone()));
        }
        let cases = |cases: &BTreeMap<String, u64>| {
            let fuel = |fuel: u64| Value::Integer(i64::try_from(fuel).unwrap_or(i64::MAX));
            Value::Table(cases.iter().map(|(name, burned)| (name.clone(), fuel(*burned))).collect())
        };
        let files = self.fuel.iter().map(|(file, own)| (file.clone(), cases(own))).collect();
        table.insert("fuel".to_owned(), Value::Table(files));
        format!(
            "# The fuel of each case of the release component. `erp-plugin test --lock-budget` writes it; growth beyond --ratchet fails.\n{table}"
        )
    }

    /// Returns a finding where a case burned more fuel than the lock and the ratchet allow.
    pub fn judge(&self, case: &Case<'_>, result: &CaseResult, ratchet: f64) -> Option<Diagnostic> {
        let locked = *self.fuel.get(&file_of(case))?.get(&result.name)?;
        let grown = result.fuel as f64 * 100.0 / locked.max(1) as f64 - 100.0;
        if grown <= ratchet {
            return None;
        }
        let message = format!("fuel grew by {grown:.1} %, from {locked} to {}", result.fuel);
        let finding = Diagnostic::new(SCENARIO_BUDGET, message).in_source(&case.suite.source);
        let help = format!("at most {ratchet} % are allowed; where it is worth it: erp-plugin test --lock-budget");
        Some(finding.at(case.test.name.span(), "burns more than it did").help(help))
    }
}

fn file_of(case: &Case<'_>) -> String {
    case.suite.source.path().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_survives_its_text() {
        let cases = BTreeMap::from([("下单 [1]".to_owned(), 41_208)]);
        let conditions = LockConditions::of(None);
        let lock = BudgetLock { conditions, fuel: BTreeMap::from([("orders.test.toml".to_owned(), cases)]) };
        assert_eq!(BudgetLock::parse(&lock.text()), Ok(lock));
    }

    #[test]
    fn figures_of_other_conditions_are_not_compared() {
        let conditions = |profile: &str, compiler: &str| LockConditions {
            profile: profile.to_owned(),
            compiler: compiler.to_owned(),
            engine: ENGINE.to_owned(),
        };
        let lock = BudgetLock::empty(conditions("release", "rustc 1.95.0"));
        let difference = |profile: &str, compiler: &str| lock.difference(&conditions(profile, compiler));
        assert_eq!(difference("release", "rustc 1.95.0"), None);
        assert_eq!(
            difference("debug", "rustc 1.95.0").as_deref(),
            Some("it is of a release build, and this is a debug build")
        );
        assert_eq!(
            difference("release", "rustc 1.96.0").as_deref(),
            Some("it was made with rustc 1.95.0, and this is rustc 1.96.0")
        );
        let old = BudgetLock::parse("engine = \"wasmtime 48\"").unwrap();
        assert_eq!(
            old.difference(&conditions("release", "rustc 1.95.0")).as_deref(),
            Some("it is of an unknown build, and this is a release build")
        );
    }
}
