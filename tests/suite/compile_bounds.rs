//! The cost of compiling is estimated before it begins, and bounded while it runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use erp_component::excess;
use erp_package::archive::{self, PackageParts};
use erp_plugin::settings::compiler_program;
use erp_runtime::{Compilation, CompileLimits, Interrupt, Runtime, RuntimeError};
use serde_json::json;

use crate::support::expensive::FAMILIES;
use crate::support::hostile::{HONEST, Host};
use crate::support::{Client, Sandbox, erp_plugin};

/// Returns the component of the family that has these words in its name.
fn component(family: &str, size: u32) -> Vec<u8> {
    let family = FAMILIES.iter().find(|known| known.name.contains(family)).unwrap();
    (family.component)(size)
}

fn apart(limits: CompileLimits) -> Host {
    let compilation = Compilation { program: Some(compiler_program(erp_plugin())), limits, ..Compilation::default() };
    Host::over(Runtime::new(compilation).unwrap())
}

#[test]
fn each_family_is_refused_where_it_becomes_expensive() {
    for family in FAMILIES {
        let (most, smaller) = family.sizes.split_last().unwrap();
        let verdict = excess(&(family.component)(*most)).map(|excess| excess.code.name());
        assert!(
            matches!(verdict, Some("component/too-complex" | "component/excessive")),
            "{}: {verdict:?}",
            family.name
        );
        // The smallest component of the family is accepted.
        assert_eq!(excess(&(family.component)(smaller[0])), None, "{}", family.name);
    }
}

#[test]
fn what_is_too_complex_is_refused_by_every_command_that_reads_it() {
    let sandbox = Sandbox::with_template("minimal");
    for (family, size) in [("calls of 1,000", 400), ("conditional branches", 20_000), ("between parts", 300)] {
        sandbox.write("erp-demo/dist/erp-demo.wasm", component(family, size));
        for command in [
            ["-C", "erp-demo", "check"].as_slice(),
            &["-C", "erp-demo", "pack", "--component", "dist/erp-demo.wasm"],
            &["inspect", "erp-demo/dist/erp-demo.wasm"],
            &["-C", "erp-demo", "call", "base.init({})", "--component", "dist/erp-demo.wasm"],
            &["wit", "targets", "erp-demo/dist/erp-demo.wasm"],
        ] {
            let output = sandbox.run(command);
            assert!(output.stderr.contains("component/too-complex"), "{family} {command:?}: {}", output.stderr);
            assert_ne!(output.code, 0);
        }
    }
}

#[test]
fn a_package_that_is_too_complex_is_refused_by_verify_and_by_an_upload() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let admin = Client::new(&host, "admin@acme", "erp-small");
    for (family, size) in [("calls of 1,000", 400), ("conditional branches", 20_000), ("between parts", 300)] {
        let parts = PackageParts {
            manifest: json!({
                "metadata": { "id": "erp-small", "name": "小", "version": "1.0.0" },
                "runtime": { "abi": "erp:plugin@1.0.0", "world": "minimal-plugin" },
            }),
            id: "erp-small".to_owned(),
            version: "1.0.0".to_owned(),
            abi: "erp:plugin@1.0.0".to_owned(),
            world: "minimal-plugin".to_owned(),
            wit: "package erp:plugin@1.0.0;".to_owned(),
            component: component(family, size),
            files: Vec::new(),
            tool: "test".to_owned(),
            rule_set: String::new(),
        };
        sandbox.write("small.erpx", archive::build(&parts).unwrap());
        let verified = sandbox.run(&["verify", "small.erpx"]);
        assert_eq!(verified.code, 7, "{family}: {}", verified.stderr);
        let told = format!("{}{}", verified.stdout, verified.stderr);
        assert!(told.contains("component/too-complex"), "{family}: {told}");
        let (status, refused) = admin.upload(&sandbox, "small.erpx");
        assert_eq!(status, 422, "{family}: {refused}");
        assert!(refused.to_string().contains("component/too-complex"), "{family}: {refused}");
    }
}

#[cfg(unix)]
#[test]
fn the_process_that_compiles_gets_no_environment() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (program, heard) = (folder.path().join("compiler"), folder.path().join("heard"));
    std::fs::write(&program, format!("#!/bin/sh\n/usr/bin/env > {}\n", heard.display())).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let compilation = Compilation { program: Some(program.into()), ..Compilation::default() };
    let host = Host::over(Runtime::new(compilation).unwrap());
    assert!(host.load(&HONEST.component()).is_err(), "it made no code");
    let heard = std::fs::read_to_string(heard).unwrap();
    // Variables that a shell sets itself.
    let others: Vec<&str> = heard
        .lines()
        .filter(|line| !["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own)))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn compiling_ends_at_its_bounds_of_time_and_memory_and_nothing_is_lost() {
    let slow = component("change in {} loops", 4_000);
    assert_eq!(excess(&slow), None);
    let hasty = apart(CompileLimits { seconds: 0, seconds_per_mib: 0, ..CompileLimits::default() });
    let small = apart(CompileLimits { memory: 40 << 20, memory_per_mib: 0, ..CompileLimits::default() });
    for (host, word) in [(hasty, "s"), (small, "memory")] {
        let error = host.load(&slow).err().unwrap();
        assert!(matches!(error, RuntimeError::CompileLimit(_)), "{word}: {error:?}");
        assert_eq!(error.code().name(), "component/compile-limit");
        assert!(error.to_string().contains(word), "{error}");
        // The second attempt fails at once.
        let started = std::time::Instant::now();
        assert!(host.load(&slow).is_err());
        assert!(started.elapsed() < Duration::from_millis(500));
    }
    let host = apart(CompileLimits::default());
    assert!(host.load(&HONEST.component()).is_ok());
}

#[test]
fn compiling_ends_when_it_is_interrupted_and_is_done_again_afterwards() {
    let slow = component("change in {} loops", 4_000);
    let compilation = Compilation { program: Some(compiler_program(erp_plugin())), ..Compilation::default() };
    let runtime = Runtime::new(compilation).unwrap();
    let interrupt = Interrupt::default();
    std::thread::scope(|scope| {
        let compiling = scope.spawn(|| runtime.prepare(&slow, &interrupt));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!compiling.is_finished(), "it takes seconds");
        let set = std::time::Instant::now();
        interrupt.set();
        assert!(matches!(compiling.join().unwrap(), Err(RuntimeError::Interrupted)));
        assert!(set.elapsed() < Duration::from_secs(1), "{:?}", set.elapsed());
    });
    // The interrupted component is not remembered as one that cannot be compiled.
    runtime.prepare(&HONEST.component(), &Interrupt::default()).unwrap();
    assert!(matches!(runtime.prepare(&slow, &interrupt), Err(RuntimeError::Interrupted)));
}

#[test]
fn a_process_of_its_own_makes_the_same_code_and_says_why_it_makes_none() {
    let host = apart(CompileLimits::default());
    let honest = host.load(&HONEST.component()).unwrap();
    let outcome = host.call(&honest, &[], erp_runtime::Detail::Outline);
    let here = Host::new();
    let same = here.call(&here.load(&HONEST.component()).unwrap(), &[], erp_runtime::Detail::Outline);
    assert_eq!((outcome.trace.fuel, outcome.trace.memory), (same.trace.fuel, same.trace.memory));
    let error = host.load(b"\0asm\x0d\0\x01\0\xff").err().unwrap();
    assert!(matches!(&error, RuntimeError::Load(why) if !why.is_empty()), "{error:?}");
}

#[cfg(unix)]
#[test]
fn compiled_code_is_only_read_where_nobody_else_can_have_written_it() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("erp-plugin/compiled");
    let warnings: Arc<Mutex<Vec<String>>> = Arc::default();
    let loads = || {
        let heard = Arc::clone(&warnings);
        let warn: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(move |text| heard.lock().unwrap().push(text.to_owned()));
        let compilation = Compilation { cache: Some(cache.clone()), warn: Some(warn), ..Compilation::default() };
        let host = Host::over(Runtime::new(compilation).unwrap());
        let from_cache = host.load(&HONEST.component()).unwrap().from_cache;
        (from_cache, std::mem::take(&mut *warnings.lock().unwrap()))
    };
    let set_mode =
        |path: &std::path::Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let code = || fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();

    assert_eq!(loads(), (false, Vec::new()));
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(loads(), (true, Vec::new()));

    set_mode(&code(), 0o620);
    let (from_cache, heard) = loads();
    assert!(!from_cache && heard[0].contains("compiled anew") && heard[0].contains("chmod go-w"), "{heard:?}");
    assert_eq!(loads(), (true, Vec::new()), "it was written anew");

    // A symbolic link may lead to a file that another user can replace.
    let (real, elsewhere) = (code(), folder.path().join("elsewhere"));
    fs::rename(&real, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &real).unwrap();
    assert!(!loads().0);

    set_mode(&cache, 0o777);
    let (from_cache, heard) = loads();
    assert!(!from_cache && heard[0].contains("compiled code is not kept"), "{heard:?}");
    set_mode(&cache, 0o700);
    assert!(loads().0);
}

#[test]
fn names_that_no_reader_of_wit_bears_are_refused_before_it_sees_them() {
    let sandbox = Sandbox::with_template("minimal");
    let names = [
        r#"(import "unlocked-dep=<a:b@{>=1.0.0 <2.0.0}>" (func))"#,
        r#"(import "locked-dep=<a:b>" (func))"#,
        r#"(import "url=<https://example.com/x.wasm>" (func))"#,
        r#"(import "integrity=<sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855>" (func))"#,
        r#"(import "wasi:http/types" (func))"#,
        r#"(import "a:b/c@1.2.3" (func))"#,
        r#"(import "x" (instance (export "a:b/c" (func))))"#,
        r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i "f"))) (export "a:b/c" (func $f))"#,
    ];
    for name in names {
        sandbox.write("erp-demo/dist/erp-demo.wasm", wat::parse_str(format!("(component {name})")).unwrap());
        for command in [
            ["inspect", "erp-demo/dist/erp-demo.wasm"].as_slice(),
            &["-C", "erp-demo", "check"],
            &["wit", "targets", "erp-demo/dist/erp-demo.wasm"],
        ] {
            let output = sandbox.run(command);
            assert!(output.stderr.contains("component/foreign-name"), "{name} {command:?}: {}", output.stderr);
            assert!(matches!(output.code, 1 | 3), "{name} {command:?}: {}", output.code);
        }
    }
}
