//! Files that were built to confuse a reader: each is refused, with the code for its reason.

use std::sync::OnceLock;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::digest::sha256_hex;
use erp_package::archive::{self, PackageReader, Statement};
use erp_package::signing::{
    Attestation, Envelope, Passphrase, PublicKey, SecretKey, StatementSubject, TrustStore, TrustedKey,
};
use erp_package::strict_zip::{self, ArchiveEntry, Limits};
use erp_package::verification::{Demand, Policy, Verdict, verify};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::zips::{Forged, attacks};
use crate::support::{Sandbox, template_component};

const ENVELOPE: &str = "META/release.dsse.json";
const WIT: &str = "wit/world.wit";

/// Returns a valid package without a signature.
fn package() -> &'static [u8] {
    static PACKAGE: OnceLock<Vec<u8>> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let sandbox = Sandbox::with_template("minimal");
        sandbox.take_component("erp-demo", template_component("minimal"));
        sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
        sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx")
    })
}

fn key() -> &'static SecretKey {
    static KEY: OnceLock<SecretKey> = OnceLock::new();
    KEY.get_or_init(|| SecretKey::generate().unwrap())
}

fn trusting(key: &PublicKey, scope: &str) -> TrustStore {
    let mut store = TrustStore::default();
    let (publisher, scopes) = ("甲".to_owned(), vec![scope.to_owned()]);
    store.add(TrustedKey { key: key.clone(), publisher, scopes, not_after: None, revoked: None });
    store
}

/// Verifies a file; a signature by [`key`] is demanded.
fn judged(bytes: &[u8]) -> Verdict {
    let trust = trusting(&key().public(), "*");
    let now = "2026-04-15T08:00:00Z".parse().unwrap();
    verify(bytes, &Policy { demand: Demand::Signatures, ..Policy::new(&trust, now) })
}

fn codes(verdict: &Verdict) -> Vec<String> {
    verdict.problems().map(|problem| problem.code.to_string()).collect()
}

/// Returns the package with changed entries, under a matching statement that [`key`] has signed.
fn forged(change: impl FnOnce(&mut Vec<ArchiveEntry>)) -> Vec<u8> {
    forged_with(change, |_| {})
}

/// The same, with a changed statement.
fn forged_with(change: impl FnOnce(&mut Vec<ArchiveEntry>), restate: impl FnOnce(&mut Statement)) -> Vec<u8> {
    let mut entries = strict_zip::read(package(), &Limits::default()).unwrap();
    let sealed = PackageReader::read(package(), &Limits::default()).unwrap();
    let mut statement = sealed.statement(&sealed.envelope().unwrap()).unwrap();
    change(&mut entries);
    entries.retain(|entry| entry.name != ENVELOPE);
    statement.subject = entries.iter().map(|entry| StatementSubject::of(&*entry.name, &entry.bytes)).collect();
    statement.subject.sort_by(|left, right| left.name.cmp(&right.name));
    statement.predicate.sizes = entries.iter().map(|entry| (entry.name.clone(), entry.bytes.len() as u64)).collect();
    restate(&mut statement);
    let mut envelope = statement.seal();
    envelope.sign(key()).unwrap();
    with_envelope(entries, envelope.to_json().into_bytes())
}

fn with_envelope(mut entries: Vec<ArchiveEntry>, envelope: Vec<u8>) -> Vec<u8> {
    entries.retain(|entry| entry.name != ENVELOPE);
    entries.push(ArchiveEntry { name: ENVELOPE.to_owned(), bytes: envelope });
    strict_zip::write(&entries).unwrap()
}

/// Returns the valid package with another envelope.
fn enveloped(envelope: &[u8]) -> Vec<u8> {
    with_envelope(strict_zip::read(package(), &Limits::default()).unwrap(), envelope.to_vec())
}

fn signed_envelope() -> Envelope {
    let mut envelope = PackageReader::read(package(), &Limits::default()).unwrap().envelope().unwrap();
    envelope.sign(key()).unwrap();
    envelope
}

fn replace(name: &str, bytes: impl Into<Vec<u8>>) -> impl FnOnce(&mut Vec<ArchiveEntry>) {
    let (name, bytes) = (name.to_owned(), bytes.into());
    move |entries| {
        entries.retain(|entry| entry.name != name);
        entries.push(ArchiveEntry { name, bytes });
    }
}

#[test]
fn the_good_package_is_good() {
    let verdict = judged(&forged(|_| {}));
    assert!(verdict.is_good(), "{:?}", verdict.checks);
    assert!(strict_zip::structure(&Forged::good().bytes(), &Limits::default()).problems.is_empty());
}

#[test]
fn every_attack_on_the_container_is_refused_for_what_it_is() {
    for (name, code, bytes) in attacks() {
        let Err(refusals) = strict_zip::read(&bytes, &Limits::default()) else { panic!("{name} is taken") };
        let found: Vec<&str> = refusals.iter().map(|refusal| refusal.code.name()).collect();
        assert!(found.contains(&code), "{name}: {found:?} instead of {code}");
        assert!(
            refusals.iter().all(|refusal| (refusal.code.name() == "archive/limit") == refusal.limit.is_some()),
            "{name}"
        );
    }
}

#[test]
fn every_prefix_and_every_flipped_bit_of_an_archive_is_refused_or_harmless() {
    let good = Forged::good().bytes();
    let entries = strict_zip::read(&good, &Limits::default()).unwrap();
    for length in 0..good.len() {
        assert!(strict_zip::read(&good[..length], &Limits::default()).is_err(), "{length} bytes");
    }
    let mut harmless = 0;
    for bit in 0..good.len() * 8 {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = strict_zip::read(&changed, &Limits::default()) {
            assert_eq!(found, entries, "bit {bit} changes what is read");
            harmless += 1;
        }
    }
    // Deflate can write the same content in more than one way; no other part of an archive can.
    assert!(harmless < 64, "{harmless} flips are taken");
}

/// With a flipped bit in any byte, a signed package is refused, or it has the same files and the same statement.
#[test]
fn any_byte_of_a_package_that_is_changed_is_refused_or_harmless() {
    // Every byte of the archive's own structures, and a little of each file.
    let mut entries = strict_zip::read(package(), &Limits::default()).unwrap();
    let mut wit_sha256 = String::new();
    for entry in entries.iter_mut().filter(|entry| matches!(&*entry.name, "component.wasm" | WIT)) {
        entry.bytes.truncate(512);
        if &*entry.name == WIT {
            wit_sha256 = sha256_hex(&entry.bytes);
        }
    }
    let good = forged_with(|all| *all = entries, |statement| statement.predicate.wit_sha256 = wit_sha256);
    let opened = archive::open(&good, &Limits::default()).unwrap();
    for (at, byte) in good.iter().enumerate() {
        let mut changed = good.clone();
        changed[at] = byte ^ (1 << (at % 8));
        let Ok(sealed) = PackageReader::read(&changed, &Limits::default()) else { continue };
        let Ok(envelope) = sealed.envelope() else { continue };
        let Ok(statement) = sealed.statement(&envelope) else { continue };
        let Ok(entries) = sealed.entries(&statement) else { continue };
        let same_files =
            entries.iter().zip(&opened.entries).all(|(left, right)| left.name == ENVELOPE || left == right);
        let same = same_files && statement == opened.statement;
        assert!(same || !envelope.is_signed_by(&key().public()), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(files in prop::collection::btree_map("f[a-z0-9]{1,12}/f[a-z0-9]{1,8}\\.[a-z]{1,4}", prop::collection::vec(any::<u8>(), 0..3000), 1..12)) {
        let entries: Vec<ArchiveEntry> = files.into_iter().map(|(name, bytes)| ArchiveEntry { name, bytes }).collect();
        let archive = strict_zip::write(&entries).unwrap();
        let read = strict_zip::read(&archive, &Limits::default()).unwrap();
        prop_assert_eq!(&strict_zip::write(&read).unwrap(), &archive);
        let mut shuffled = entries.clone();
        shuffled.reverse();
        prop_assert_eq!(strict_zip::write(&shuffled).unwrap(), archive);
        prop_assert_eq!(read.len(), entries.len());
        prop_assert!(entries.iter().all(|entry| read.contains(entry)));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..2000, patch in prop::collection::vec(any::<u8>(), 1..16)) {
        let _ = strict_zip::read(&bytes, &Limits::default());
        let _ = Envelope::parse(&bytes);
        let mut patched = Forged::good().bytes();
        for (offset, byte) in patch.iter().enumerate() {
            let length = patched.len();
            patched[(at + offset) % length] = *byte;
        }
        let _ = strict_zip::read(&patched, &Limits::default());
    }
}

#[test]
fn envelopes_that_lie_are_refused() {
    let good = signed_envelope();
    let document: Value = serde_json::from_str(&good.to_json()).unwrap();
    let edited = |change: &dyn Fn(&mut Value)| {
        let mut document = document.clone();
        change(&mut document);
        document.to_string().into_bytes()
    };
    let resealed = |payload: &[u8]| {
        let mut envelope = good.clone();
        envelope.payload = payload.to_vec();
        envelope.to_json().into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("an empty file", Vec::new(), "signature/envelope"),
        ("no JSON", b"not json".to_vec(), "signature/envelope"),
        ("a key twice", b"{\"payload\":\"\",\"payload\":\"\"}".to_vec(), "signature/envelope"),
        ("deep nesting", [vec![b'['; 100], vec![b']'; 100]].concat(), "signature/envelope"),
        ("something behind the end", [good.to_json().into_bytes(), b" x".to_vec()].concat(), "signature/envelope"),
        ("base64 with white space", edited(&|document| document["payload"] = json!("YW Jj")), "signature/envelope"),
        (
            "a key's id of another length",
            edited(&|document| document["signatures"][0]["keyid"] = json!("sha256:00")),
            "signature/envelope",
        ),
        (
            "another public key than the id names",
            edited(&|document| {
                let other = SecretKey::generate().unwrap().public().id();
                document["signatures"][0]["keyid"] = json!(other);
            }),
            "signature/envelope",
        ),
        (
            "one signature twice",
            edited(&|document| {
                let again = document["signatures"][0].clone();
                document["signatures"] = json!([again, again]);
            }),
            "signature/envelope",
        ),
        (
            "nine signatures",
            edited(&|document| {
                document["signatures"] = (0..9).map(|_| document["signatures"][0].clone()).collect();
            }),
            "signature/too-many",
        ),
        ("no signature", edited(&|document| document["signatures"] = json!([])), "signature/unsigned"),
        ("another payload", resealed(&[good.payload.clone(), b" ".to_vec()].concat()), "signature/bad"),
        ("another type of payload", edited(&|document| document["payloadType"] = json!("text/plain")), "signature/bad"),
        (
            "a type that swallows the length",
            edited(&|document| {
                document["payloadType"] = json!(format!("application/vnd.in-toto+json {}", good.payload.len()));
            }),
            "signature/bad",
        ),
        (
            "a signature of 63 bytes",
            edited(&|document| document["signatures"][0]["sig"] = json!("A".repeat(84))),
            "signature/bad",
        ),
        (
            "a flipped bit of the signature",
            {
                let mut envelope = good.clone();
                envelope.signatures[0].signature[5] ^= 1;
                envelope.to_json().into_bytes()
            },
            "signature/bad",
        ),
        (
            "the group's order added to the signature",
            {
                let mut envelope = good.clone();
                add_order(&mut envelope.signatures[0].signature);
                envelope.to_json().into_bytes()
            },
            "signature/bad",
        ),
    ];
    for (name, envelope, code) in cases {
        let found = codes(&judged(&enveloped(&envelope)));
        assert!(found.iter().any(|found| found == code), "{name}: {found:?} instead of {code}");
    }
}

/// S + L: the same signature for a verifier that does not check the range of S.
fn add_order(signature: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

#[test]
fn strangers_scopes_and_thresholds_are_told_apart() {
    let now = "2026-04-15T08:00:00Z".parse().unwrap();
    let good = forged(|_| {});
    let code = |trust: &TrustStore| {
        let verdict = verify(&good, &Policy { demand: Demand::Signatures, ..Policy::new(trust, now) });
        codes(&verdict).first().cloned().unwrap_or_else(|| "good".to_owned())
    };
    assert_eq!(code(&trusting(&key().public(), "erp-*")), "good");
    assert_eq!(code(&trusting(&key().public(), "other-*")), "signature/out-of-scope");
    assert_eq!(code(&trusting(&SecretKey::generate().unwrap().public(), "*")), "signature/untrusted");
    let mut twice = trusting(&key().public(), "*");
    twice.set_threshold("erp-*", 2);
    assert_eq!(code(&twice), "signature/too-few");
}

#[test]
fn statements_that_do_not_fit_the_files_are_refused() {
    type Restate = fn(&mut Statement);
    let cases: [(&str, Restate, &str); 13] = [
        ("a file that is not named", |statement| drop(statement.subject.pop()), "package/unsigned-file"),
        (
            "a name without a file",
            |statement| {
                statement.subject.push(StatementSubject::of("more.txt", b""));
                statement.subject.sort_by(|one, other| one.name.cmp(&other.name));
            },
            "package/missing-file",
        ),
        (
            "a name twice",
            |statement| {
                let again = statement.subject[0].clone();
                statement.subject.push(again);
            },
            "package/statement",
        ),
        (
            "another size",
            |statement| {
                *statement.predicate.sizes.get_mut("component.wasm").unwrap() += 1;
            },
            "package/digest-mismatch",
        ),
        ("another digest", |statement| statement.subject[0].digest.sha256 = "0".repeat(64), "package/digest-mismatch"),
        (
            "a digest in capitals",
            |statement| {
                let digest = &mut statement.subject[0].digest.sha256;
                *digest = digest.to_uppercase();
            },
            "package/digest-mismatch",
        ),
        (
            "a digest of 63 digits",
            |statement| statement.subject[0].digest.sha256.truncate(63),
            "package/digest-mismatch",
        ),
        ("another id", |statement| statement.predicate.id = "erp-other".to_owned(), "package/statement-mismatch"),
        ("another version", |statement| statement.predicate.version = "9.9.9".to_owned(), "package/statement-mismatch"),
        (
            "other capabilities",
            |statement| statement.predicate.capabilities_sha256 = "0".repeat(64),
            "package/statement-mismatch",
        ),
        ("another format", |statement| statement.predicate.format_version = 2, "package/statement"),
        (
            "another digest of the WIT",
            |statement| statement.predicate.wit_sha256 = "0".repeat(64),
            "package/statement-mismatch",
        ),
        (
            "another world",
            |statement| statement.predicate.world = "full-plugin".to_owned(),
            "package/statement-mismatch",
        ),
    ];
    for (name, restate, code) in cases {
        let found = codes(&judged(&forged_with(|_| {}, restate)));
        assert!(found.iter().any(|found| found == code), "{name}: {found:?} instead of {code}");
    }
    let file = codes(&judged(&{
        let mut entries = strict_zip::read(&forged(|_| {}), &Limits::default()).unwrap();
        entries.iter_mut().find(|entry| entry.name == "README.md").unwrap().bytes[0] ^= 1;
        strict_zip::write(&entries).unwrap()
    }));
    assert_eq!(file, ["package/digest-mismatch"], "a file that was changed after it was signed");
}

#[test]
fn manifests_that_two_readers_could_read_differently_are_refused() {
    let manifest = |text: &str| forged(replace("erpx.json", text.as_bytes()));
    let own = archive::open(package(), &Limits::default()).unwrap().manifest_json;
    let edited = |path: &str, value: Value| {
        let mut manifest = own.clone();
        *manifest.pointer_mut(path).unwrap() = value;
        json!({ "formatVersion": 1, "manifest": manifest }).to_string()
    };
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: Vec<(&str, String, &str)> = vec![
        ("a key twice", r#"{"formatVersion":1,"formatVersion":1,"manifest":{}}"#.to_owned(), "package/manifest"),
        ("deep nesting", deep, "package/manifest"),
        ("a number that is none", r#"{"formatVersion":1e400}"#.to_owned(), "package/manifest"),
        ("half a surrogate", r#"{"formatVersion":1,"manifest":"\ud800"}"#.to_owned(), "package/manifest"),
        ("a byte order mark", "\u{feff}{}".to_owned(), "package/manifest"),
        ("white space", format!("{} ", edited("/metadata/id", json!("erp-demo"))), "package/manifest"),
        ("a key beside the manifest", r#"{"evil":1,"formatVersion":1,"manifest":{}}"#.to_owned(), "package/manifest"),
        ("NaN", r#"{"formatVersion":NaN}"#.to_owned(), "package/manifest"),
        ("a comment", "{} // x".to_owned(), "package/manifest"),
        ("a comma too many", r#"{"formatVersion":1,}"#.to_owned(), "package/manifest"),
        ("another format", r#"{"formatVersion":2,"manifest":{}}"#.to_owned(), "package/manifest"),
        ("an id with a slash", edited("/metadata/id", json!("erp/../x")), "manifest/"),
        ("an id of 300 characters", edited("/metadata/id", json!("e".repeat(300))), "manifest/"),
        ("an id with another script", edited("/metadata/id", json!("еrp-demo")), "manifest/"),
        ("a version of one number", edited("/metadata/version", json!("1")), "manifest/"),
        ("a version with a v", edited("/metadata/version", json!("v1.0.0")), "manifest/"),
        ("a world that is not known", edited("/runtime/world", json!("nothing")), "manifest/"),
        ("a key that is not known", edited("/metadata", json!({ "id": "erp-demo", "evil": 1 })), "toml/"),
    ];
    for (name, text, code) in cases {
        let found = codes(&judged(&manifest(&text)));
        assert!(!found.is_empty(), "{name} is taken");
        let fits = |found: &String| found.starts_with(code) || (code.ends_with('/') && found.contains('/'));
        assert!(found.iter().any(fits), "{name}: {found:?} instead of {code}");
    }
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(codes(&judged(&forged(replace("erpx.json", utf16)))), ["package/manifest"]);
}

/// Text from a package is displayed, and cannot control the terminal.
#[test]
fn names_that_would_take_over_a_terminal_are_shown_as_text() {
    let evil = "x\u{1b}[2K\u{1b}[1A\nok  signatures  good, by ACME\u{202e}";
    let verdict = judged(&forged_with(|_| {}, |statement| statement.subject.push(StatementSubject::of(evil, b""))));
    assert_eq!(codes(&verdict), ["package/missing-file"]);
    for problem in verdict.problems() {
        assert!(!problem.message.contains(['\u{1b}', '\n', '\u{202e}']), "{:?}", problem.message);
    }
    assert!(verdict.checks.iter().all(|check| !check.detail.contains(['\u{1b}', '\u{202e}'])));
}

#[test]
fn statements_with_many_names_cost_little_and_tell_little() {
    let bytes = forged_with(
        |entries| {
            entries.extend((0..3_000).map(|number| ArchiveEntry { name: format!("a/{number}"), bytes: Vec::new() }));
        },
        |statement| statement.subject.extend((0..6_000).map(|number| StatementSubject::of(format!("b/{number}"), b""))),
    );
    assert!(codes(&judged(&bytes)).len() <= 50);
}

#[test]
fn files_that_the_format_does_not_know_stay_out_of_its_folder() {
    assert_eq!(codes(&judged(&forged(replace("META/other.json", b"{}".to_vec())))), ["package/unknown-file"]);
    assert!(judged(&forged(replace("assets/other.json", b"{}".to_vec()))).is_good());
}

#[test]
fn components_that_ask_for_too_much_are_refused() {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let nested = format!("{}{}", "(component ".repeat(90), ")".repeat(90));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no WebAssembly", b"not wasm".to_vec()),
        ("a core module", wat("(module)")),
        ("a cut component", package_component()[..package_component().len() / 2].to_vec()),
        ("another layer", b"\0asm\x0d\0\x02\0".to_vec()),
        ("a program", b"\x7fELF\x02\x01\x01\0".to_vec()),
        ("sockets", wat("(component (import \"wasi:sockets/tcp@0.2.6\" (instance)))")),
        ("files", wat("(component (import \"wasi:filesystem/types@0.2.6\" (instance)))")),
        ("another version of the host", wat("(component (import \"erp:plugin/host-log@9.0.0\" (instance)))")),
        ("no exports", wat("(component)")),
        ("90 components in each other", wat(&nested)),
        ("a memory of 64 bits", wat("(component (core module (memory i64 1)))")),
        ("a shared memory", wat("(component (core module (memory 1 1 shared)))")),
    ];
    for (name, component) in cases {
        let verdict = judged(&forged(replace("component.wasm", component)));
        let found = codes(&verdict);
        assert!(found.iter().any(|code| code.starts_with("component/")), "{name}: {found:?}");
    }
}

/// A component that would be expensive to validate or to compile is refused.
#[test]
fn components_that_would_cost_much_are_refused() {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let module = |inside: &str| wat(&format!("(component (core module {inside}))"));
    let types: String = (1..10_000).map(|number| format!("(type $t{number} (list $t{}))", number - 1)).collect();
    let blocks = format!("(func {}{})", "(block ".repeat(20_000), ")".repeat(20_000));
    let cases = [
        ("10,000 types of types", wat(&format!("(component (type $t0 (list u8)) {types})"))),
        ("200,000 functions", module(&"(func)".repeat(200_000))),
        ("20,000 blocks in each other", module(&blocks)),
        ("100 memories", module(&"(memory 1)".repeat(100))),
        (
            "a branch with a million targets",
            module(&format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(1_000_000))),
        ),
        ("a loop at the start", module("(func $s (loop (br 0))) (start $s)")),
    ];
    for (name, component) in cases {
        let found = codes(&judged(&forged(replace("component.wasm", component))));
        assert!(found.iter().any(|code| code.starts_with("component/")), "{name}: {found:?}");
    }
}

/// Nesting and length of a manifest cost no stack.
#[test]
fn manifests_that_nest_without_end_are_findings() {
    let deep = [
        "a = ".to_owned() + &"[".repeat(100_000),
        "a".to_owned() + &".a".repeat(100_000) + " = 1",
        "[".repeat(100_000),
    ];
    let long = ["k".repeat(1 << 20) + " = 1", "x = \"".to_owned() + &"x".repeat(1 << 20)];
    for text in deep.into_iter().chain(long) {
        let (_, report) = erp_manifest::parse(&SourceFile::new("plugin.toml", text));
        assert!(report.has_errors());
    }
}

fn package_component() -> Vec<u8> {
    archive::open(package(), &Limits::default()).unwrap().component().to_vec()
}

#[test]
fn an_account_of_another_component_is_refused() {
    let statement = |digest: String| {
        json!({ "_type": "https://in-toto.io/Statement/v1", "subject": [{ "name": "component.wasm", "digest": { "sha256": digest } }],
            "predicateType": "https://slsa.dev/provenance/v1", "predicate": {} })
    };
    let provenance =
        |digest: String| forged(replace("META/provenance.json", statement(digest).to_string().into_bytes()));
    let component = erp_manifest::digest::sha256_hex(&package_component());
    assert!(judged(&provenance(component)).is_good());
    assert_eq!(codes(&judged(&provenance("0".repeat(64)))), ["package/supply-chain"]);
    assert_eq!(codes(&judged(&forged(replace("META/sbom.cdx.json", b"{}".to_vec())))), ["package/supply-chain"]);
}

#[test]
fn key_files_that_would_cost_too_much_or_are_other_keys_are_refused() {
    let passphrase = Passphrase::new("correct horse".to_owned());
    let good = key().to_pem(Some(&passphrase)).unwrap();
    let refused = |pem: &str| SecretKey::from_pem(pem, Some(&Passphrase::new("correct horse".to_owned()))).unwrap_err();
    // The parameters of the key derivation in DER: N = 16384, r = 8, p = 1.
    for (name, from, to) in [
        ("r of 127", &[2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1][..], &[2, 2, 0x40, 0, 2, 1, 127, 2, 1, 1][..]),
        ("p of 127", &[2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1], &[2, 2, 0x40, 0, 2, 1, 8, 2, 1, 127]),
        ("N of 0", &[2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1], &[2, 2, 0, 0, 2, 1, 8, 2, 1, 1]),
        ("N that is no power of two", &[2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1], &[2, 2, 0x41, 0, 2, 1, 8, 2, 1, 1]),
    ] {
        let error = refused(&patched(&good, from, to)).to_string();
        assert!(!error.contains("passphrase does not open"), "{name}: {error}");
    }
    let openssl = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for arguments in [
        &["genpkey", "-algorithm", "X25519"][..],
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        &["genpkey", "-algorithm", "ED448"],
    ] {
        assert!(refused(&openssl(arguments)).to_string().contains("secret Ed25519 key"), "{arguments:?}");
    }
    assert!(SecretKey::from_pem(&openssl(&["genpkey", "-algorithm", "ED25519"]), None).is_ok());
    assert!(refused(&key().public().to_pem()).to_string().contains("public key"));
    assert!(refused("").to_string().contains("this is no"));
    assert!(SecretKey::from_pem(&good.replace('\n', "\r\n"), Some(&passphrase)).is_ok(), "line ends of Windows");
    // A point of small order: anyone could forge a signature for it.
    let mut weak = key().public().to_der();
    let length = weak.len();
    weak[length - 32..].fill(0);
    weak[length - 32] = 1;
    assert!(PublicKey::from_der(&weak).is_err());
}

/// Returns the PEM with other bytes in its DER.
fn patched(pem: &str, from: &[u8], to: &[u8]) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let mut der = STANDARD.decode(body).unwrap();
    let at = der.windows(from.len()).position(|window| window == from).unwrap();
    der[at..at + to.len()].copy_from_slice(to);
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----\n", lines.join("\n"))
}

#[test]
fn trust_files_that_contradict_themselves_are_refused() {
    let (one, two) = (SecretKey::generate().unwrap().public(), SecretKey::generate().unwrap().public());
    let entry = |key: &PublicKey, id: &PublicKey, more: &str| {
        format!(
            "[[keys]]\nkeyid = \"{}\"\npublisher = \"甲\"\nscopes = [\"*\"]\npublic_key = \"\"\"\n{}\"\"\"\n{more}\n",
            id.id(),
            key.to_pem()
        )
    };
    let replaced = |by: &PublicKey| {
        format!("revoked = {{ at = \"2026-01-01T00:00:00Z\", reason = \"x\", replaced_by = \"{}\" }}", by.id())
    };
    let cases = [
        ("a key twice", entry(&one, &one, "") + &entry(&one, &one, "")),
        ("another key's id", entry(&one, &two, "")),
        ("a bad scope", entry(&one, &one, "").replace("[\"*\"]", "[\"acme*\"]")),
        ("a key that is none", entry(&one, &one, "").replace("MCow", "AAAA")),
        ("a moment that is none", entry(&one, &one, "not_after = \"tomorrow\"")),
        ("keys that replace each other", entry(&one, &one, &replaced(&two)) + &entry(&two, &two, &replaced(&one))),
        ("no TOML", "[[keys".to_owned()),
        ("another version", "version = 2".to_owned()),
    ];
    for (name, text) in cases {
        let report = TrustStore::parse(&SourceFile::new("trust.toml", text)).unwrap_err().report;
        assert!(report.diagnostics().iter().any(|finding| !finding.labels.is_empty()), "{name} names no place");
    }
    assert!(TrustStore::parse(&SourceFile::new("trust.toml", entry(&one, &one, &replaced(&two)))).is_ok());
}

#[test]
fn receipts_that_lie_are_refused() {
    use erp_package::signing::{Receipt, ReceiptPredicate};
    let good = forged(|_| {});
    let registry = SecretKey::generate().unwrap();
    let mut trust = trusting(&key().public(), "*");
    trust.add_registry("登记处", registry.public());
    let now = "2026-04-15T08:00:00Z".parse().unwrap();
    let predicate = |id: &str| ReceiptPredicate {
        registry: "登记处".to_owned(),
        serial: 1,
        id: id.to_owned(),
        version: "0.1.0".to_owned(),
        content_id: archive::open(&good, &Limits::default()).unwrap().content_id,
        accepted_at: now,
        publisher_keyids: Vec::new(),
        rule_set: String::new(),
        previous_receipt_sha256: None,
    };
    let receipt = |sha256: &str, id: &str, signer: Option<&SecretKey>| {
        let mut envelope = Receipt::about(sha256, predicate(id)).seal();
        if let Some(signer) = signer {
            envelope.sign(signer).unwrap();
        }
        envelope
    };
    let sha256 = erp_manifest::digest::sha256_hex(&good);
    let code = |receipt: &Envelope| {
        let verdict = verify(&good, &Policy { receipt: Some(receipt), ..Policy::new(&trust, now) });
        codes(&verdict).first().cloned().unwrap_or_else(|| "good".to_owned())
    };
    assert_eq!(code(&receipt(&sha256, "erp-demo", Some(&registry))), "good");
    assert_eq!(code(&receipt(&"0".repeat(64), "erp-demo", Some(&registry))), "receipt/another-package");
    assert_eq!(code(&receipt(&sha256, "erp-other", Some(&registry))), "receipt/another-package");
    let mut changed = receipt(&sha256, "erp-demo", Some(&registry));
    changed.payload = receipt(&sha256, "erp-other", None).payload;
    assert_eq!(code(&changed), "receipt/bad-signature");
    let other: Attestation<ReceiptPredicate> = Receipt::about(&sha256, predicate("erp-demo"));
    let text = other.to_json().replace("registry-receipt/v1", "registry-receipt/v2");
    let mut foreign = Envelope::unsigned("application/vnd.in-toto+json", text.into_bytes());
    foreign.sign(&registry).unwrap();
    assert_eq!(code(&foreign), "receipt/unreadable");
}
