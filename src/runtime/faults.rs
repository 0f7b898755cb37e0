//! Faults: failures that a test causes on the host's side of a call.

use std::time::Duration;

use erp_manifest::contract::HostFunction;

/// What happens instead of a host call, or before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultAction {
    /// The call fails with this message, like a failure of the database or the network; the guest may retry it later.
    Fail(String),
    /// The call takes this long on the platform's clock.
    Delay(Duration),
    /// The guest's fuel is spent just before the call.
    EndFuel,
}

/// Where a fault happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultPlace {
    /// At a host call, optionally only at those that concern an entity, key or name.
    HostCall {
        /// The function; any if it is `None`.
        function: Option<HostFunction>,
        /// The entity, key or name that the call concerns; any if it is `None`.
        subject: Option<String>,
    },
    /// Before the transaction of a call is committed.
    Commit,
}

impl FaultPlace {
    /// Finds a place by the name that scenarios and the dev host use: `db.insert`, `*` for any host call, `commit`. The
    /// subject counts only for a host call.
    pub fn find(name: &str, subject: Option<String>) -> Option<FaultPlace> {
        match name {
            "commit" => Some(FaultPlace::Commit),
            "*" => Some(FaultPlace::HostCall { function: None, subject }),
            name => {
                let function = HostFunction::traced().find(|function| function.name() == name)?;
                Some(FaultPlace::HostCall { function: Some(function), subject })
            }
        }
    }

    /// Whether a host call is at this place. A batch also counts as each of its steps: `db.insert` of an entity matches
    /// an insert within a batch.
    pub(super) fn meets(&self, called: HostFunction, subject: &str) -> bool {
        let FaultPlace::HostCall { function, subject: about } = self else { return false };
        let is_about = |subject: &str| about.as_ref().is_none_or(|about| about == subject);
        if function.is_none_or(|function| function == called) && is_about(subject) {
            return true;
        }
        called == HostFunction::DbBatch
            && subject.split(", ").filter_map(|step| step.split_once(' ')).any(|(word, entity)| {
                let same = |function: HostFunction| {
                    function == HostFunction::DbBatch || function.name().strip_prefix("db.") == Some(word)
                };
                function.is_none_or(same) && is_about(entity)
            })
    }

    /// Returns every name that [`FaultPlace::find`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        HostFunction::traced().map(HostFunction::name).chain(["commit", "*"])
    }

    /// Returns the name that [`FaultPlace::find`] knows.
    pub fn name(&self) -> &'static str {
        match self {
            FaultPlace::Commit => "commit",
            FaultPlace::HostCall { function, .. } => function.map_or("*", HostFunction::name),
        }
    }
}

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// Once; then the fault is removed.
    #[default]
    Once,
    /// From the `nth` occurrence of its place on, until it is removed.
    Always,
}

/// A failure at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it happens.
    pub place: FaultPlace,
    /// The occurrence of the place at which it happens first, from 1.
    pub nth: u64,
    /// How often it happens.
    pub times: Times,
    /// What happens. At a commit only [`FaultAction::Fail`] has an effect.
    pub action: FaultAction,
}

/// The remaining faults.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Removes the remaining faults and returns them.
    pub(super) fn clear(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.0)
    }

    /// Returns the remaining faults.
    pub(super) fn left(&self) -> &[Fault] {
        &self.0
    }

    /// Counts one occurrence of a place, and returns the action of the fault that is due there, if any.
    pub(super) fn take(&mut self, is_here: impl Fn(&FaultPlace) -> bool) -> Option<FaultAction> {
        let mut happens = None;
        self.0.retain_mut(|fault| {
            if !is_here(&fault.place) {
                return true;
            }
            fault.nth = fault.nth.saturating_sub(1);
            if fault.nth == 0 && happens.is_none() {
                happens = Some(fault.action.clone());
                // A fault that stays happens again at the next occurrence.
                fault.nth = 1;
                return fault.times == Times::Always;
            }
            true
        });
        happens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_function_that_can_fail_and_no_other_word() {
        for name in FaultPlace::names() {
            assert_eq!(FaultPlace::find(name, None).map(|place| place.name()), Some(name));
        }
        for wrong in ["db", "db.", "db.inserts", "clock.now", "log.log", "", "Commit"] {
            assert_eq!(FaultPlace::find(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn a_fault_happens_once_at_its_place() {
        let place = FaultPlace::HostCall { function: Some(HostFunction::DbGet), subject: None };
        let mut faults = Faults::default();
        let fault = Fault { place: place.clone(), nth: 2, times: Times::Once, action: FaultAction::EndFuel };
        faults.add(fault.clone());
        assert_eq!(faults.take(|_| false), None);
        assert_eq!(faults.take(|known| *known == place), None);
        assert_eq!(faults.take(|known| *known == place), Some(FaultAction::EndFuel));
        assert_eq!(faults.take(|known| *known == place), None);
        faults.add(Fault { times: Times::Always, ..fault });
        let happened = (0..4).map(|_| faults.take(|known| *known == place).is_some());
        assert_eq!(happened.collect::<Vec<_>>(), [false, true, true, true]);
    }
}
