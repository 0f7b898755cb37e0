//! `tests/budget.lock.toml`: the exact fuel of each case, as a performance gate without noise.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{Case, CaseResult};
use crate::check::scenarios::SCENARIO_BUDGET;
use crate::diagnostics::Diagnostic;

/// Fuel depends on the compiler of WebAssembly as little as on the machine, but it may change with its version.
const ENGINE: &str = "wasmtime 48";
/// How much more than its locked fuel a case may burn, in percent.
pub const DEFAULT_RATCHET: f64 = 3.0;

/// The fuel of cases, by file and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetLock {
    fuel: BTreeMap<String, BTreeMap<String, u64>>,
}

impl BudgetLock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn parse(text: &str) -> Result<BudgetLock, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
        if table.get("engine").and_then(Value::as_str) != Some(ENGINE) {
            return Err(format!("it was made with another engine than {ENGINE}: write it anew with --accept"));
        }
        let mut lock = BudgetLock::default();
        for (file, cases) in table.get("fuel").and_then(Value::as_table).into_iter().flatten() {
            for (name, fuel) in cases.as_table().into_iter().flatten() {
                let fuel = fuel.as_integer().and_then(|fuel| u64::try_from(fuel).ok());
                let fuel = fuel.ok_or_else(|| format!("the fuel of `{name}` is no number"))?;
                lock.fuel.entry(file.clone()).or_default().insert(name.clone(), fuel);
            }
        }
        Ok(lock)
    }

    /// The lock of cases that ran.
    pub fn of<'r>(ran: impl IntoIterator<Item = (&'r Case<'r>, &'r CaseResult)>) -> BudgetLock {
        let mut lock = BudgetLock::default();
        for (case, result) in ran {
            lock.fuel.entry(file_of(case)).or_default().insert(result.name.clone(), result.fuel);
        }
        lock
    }

    /// The same with the cases of another one instead of its own; those that are in neither file stay.
    #[must_use]
    pub fn updated(mut self, newer: BudgetLock) -> BudgetLock {
        for (file, cases) in newer.fuel {
            self.fuel.entry(file).or_default().extend(cases);
        }
        self
    }

    /// The text of the lock file.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.insert("engine".to_owned(), Value::String(ENGINE.to_owned()));
        let cases = |cases: &BTreeMap<String, u64>| {
            let fuel = |fuel: u64| Value::Integer(i64::try_from(fuel).unwrap_or(i64::MAX));
            Value::Table(cases.iter().map(|(name, burned)| (name.clone(), fuel(*burned))).collect())
        };
        let files = self.fuel.iter().map(|(file, own)| (file.clone(), cases(own))).collect();
        table.insert("fuel".to_owned(), Value::Table(files));
        format!(
            "# The fuel of each case. `erp-plugin test --accept` writes it; growth beyond --ratchet fails.\n{table}"
        )
    }

    /// A finding where a case burned more than the lock allows.
    pub fn judge(&self, case: &Case<'_>, result: &CaseResult, ratchet: f64) -> Option<Diagnostic> {
        let locked = *self.fuel.get(&file_of(case))?.get(&result.name)?;
        let grown = result.fuel as f64 * 100.0 / locked.max(1) as f64 - 100.0;
        if grown <= ratchet {
            return None;
        }
        let message = format!("fuel grew by {grown:.1} %, from {locked} to {}", result.fuel);
        let finding = Diagnostic::new(SCENARIO_BUDGET, message).in_source(&case.suite.source);
        let help = format!("at most {ratchet} % are allowed; accept it: erp-plugin test --accept");
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
        let lock = BudgetLock { fuel: BTreeMap::from([("orders.test.toml".to_owned(), cases)]) };
        assert_eq!(BudgetLock::parse(&lock.text()), Ok(lock.clone()));
        assert!(BudgetLock::parse(&lock.text().replace("48", "47")).unwrap_err().contains("--accept"));
    }
}
