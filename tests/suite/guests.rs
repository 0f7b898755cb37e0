//! Guests: the platform's first contract, and a guest that uses all of std.

use crate::support::{Sandbox, fixture_component, repository};

fn test_fixture(name: &str) {
    let component = fixture_component(name);
    let project = repository().join("tests/fixtures").join(name);
    let sandbox = Sandbox::new();
    let arguments = ["-C", project.to_str().unwrap(), "test", "--component", component.to_str().unwrap()];
    sandbox.run(&arguments).succeeded();
}

#[test]
fn a_component_for_the_first_contract_runs_unchanged() {
    test_fixture("legacy-plugin");
}

#[test]
fn std_works_without_wasi_or_says_what_does_not() {
    test_fixture("std-plugin");
}
