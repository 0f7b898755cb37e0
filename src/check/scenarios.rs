//! Codes of findings about scenarios: those about their files, and those that only a run can find.
//!
//! `scenario` raises them; they are declared here because `[check]` of a manifest may name every code of a finding.

use erp_manifest::codes::codes;

codes! { pub:
    SCENARIO_SNAPSHOT = "scenario/unreferenced-snapshot", finding(Warning), "A snapshot that no step names.",
        why: "Nobody would notice when what it shows changes.",
        fix: "Delete the file, or name it: `expect.snapshot = \"…\"`.";
    SCENARIO_STEP = "scenario/bad-step", finding(Error), "A step that does not do exactly one thing.",
        why: "Each step has one act, so that its expectations belong to it alone.",
        fix: "Write one of `http`, `event`, `call` or `advance` in each step.";
    SCENARIO_NAME = "scenario/unknown-name", finding(Error), "A user, fixture, capture or column that is not defined.",
        why: "The test would send the text itself, and might pass for the wrong reason.",
        fix: "Define it, or use the name that the finding suggests.";
    SCENARIO_UNUSED = "scenario/unused", finding(Error), "A case column, a capture or a fixture that nothing uses.",
        why: "It looks as if something were tested that is not.",
        fix: "Use it in a step with `${name}` or `use = [\"name\"]`, or take it away.";
    SCENARIO_VALUE = "scenario/bad-value", finding(Error), "A value, matcher or table that cannot be read.",
        why: "The test could not be run.",
        fix: "Write it in the form that the finding names.";
    SCENARIO_MISMATCH = "scenario/mismatch", finding(Error), "What happened is not what the scenario expects.",
        why: "The plugin does something else than the scenario says.",
        fix: "Fix the plugin, or the expectation where the plugin is right.";
    SCENARIO_UNEXPECTED = "scenario/unexpected-effect", finding(Error), "Something happened that no step expects.",
        why: "Scenarios are a closed world: a write, an event, a warning or an error that nobody expects is a finding.",
        fix: "Expect it (`expect.db`, `expect.events`, `expect.logs`), or write `effects = \"open\"` in the step to allow it.";
    SCENARIO_FAULT = "scenario/fault", finding(Error), "The plugin does not bear that the host fails once.",
        why: "Disks fill up and connections break. The host undoes a call whose error is passed on, and gives an event again; a plugin that traps or goes on leaves other rows than it should.",
        fix: "Pass errors of the host on with `?`; do not unwrap them, and do not go on as if nothing had happened.";
    SCENARIO_BUDGET = "scenario/over-budget", finding(Error), "A case burns more fuel than its lock allows.",
        why: "Fuel is exact: the same code burns the same on every machine, so growth is a change of the code and never noise.",
        fix: "Look for new work in a loop; where the growth is wanted, `erp-plugin test --accept` writes it into tests/budget.lock.toml.";
    SCENARIO_ISOLATION = "scenario/isolation", finding(Error), "A tenant sees what another tenant does.",
        why: "Each case is run again with another tenant doing the same in between; whatever it sees must stay the same to the byte.",
        fix: "Let no row, key, number or name be shared by tenants; read and write through the host, which keeps them apart.";
}
