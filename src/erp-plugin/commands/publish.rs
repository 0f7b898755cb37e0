//! `erp-plugin publish`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::ByteSize;
use erp_manifest::diagnostics::printable;
use erp_manifest::exit_code::ExitCode;
use erp_package::archive::{self, MIME_TYPE, Package};
use erp_package::signing::{Envelope, Receipt, RegistryStatus, TrustStore};
use erp_package::strict_zip::Limits;
use erp_package::verification;
use erp_package::verification::{Policy, Verdict, receipt_problem, verify};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::CommandResult;
use super::credentials::ConnectionArgs;
use super::key::trust_store;
use super::pack::{component_to_pack, packed};
use super::package_file::{package_file, read_bounded, refusal};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::registry::{Client, OciPackage, Push, ServerConnection, push};
use crate::ui::ProgressUnit;

/// How often the program checks for an interrupt.
const INTERRUPT_CHECKS: Duration = Duration::from_millis(50);

/// Upload a package to a platform, a dev host, or an OCI registry
///
/// Running it again is safe: a package that exists already is not sent again, and one whose upload broke off goes on.
/// The platform's receipt is checked and kept beside the package. In an OCI registry (`oci://host/repository`) the
/// version's tag is the plain component, and `erpx-<version>` the package.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// The package as it is; the project's own if it is absent, made first where it is not of the present sources
    package: Option<PathBuf>,
    /// The platform's address, such as <https://erp.example.com>
    #[arg(long, value_name = "URL", env = "ERP_PLUGIN_PUBLISH_TO", hide_env_values = true)]
    to: String,
    #[command(flatten)]
    connection: ConnectionArgs,
    /// The keys that are trusted, for the receipt's
    #[arg(long, value_name = "FILE", env = "ERP_PLUGIN_PUBLISH_TRUST_FILE", hide_env_values = true)]
    trust_file: Option<PathBuf>,
    /// Say what the server has of this version, and send nothing
    #[arg(long, conflicts_with = "dry_run")]
    status: bool,
    /// Refuse a package that is not of the present sources, instead of building and packing it
    #[arg(long)]
    no_build: bool,
    /// Do everything but send the package
    #[arg(long)]
    dry_run: bool,
}

/// A package that was uploaded.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PublishResult {
    ok: bool,
    /// The plugin's id.
    id: String,
    /// The plugin's version.
    version: String,
    /// SHA-256 of the file.
    sha256: String,
    /// True where the server had it before.
    already_there: bool,
    /// How often it was sent.
    attempts: u32,
    /// True where nothing was sent because of --dry-run or --status.
    dry_run: bool,
    /// The state of the plugin there, such as `running` or `uploaded`; null where nobody can say.
    state: Option<String>,
    /// The version that is active there, which need not be this one.
    active_version: Option<String>,
    /// What the platform gave for it; null for an OCI registry.
    #[schemars(with = "serde_json::Value")]
    receipt: Value,
    /// The file with the receipt, for `verify --against-receipt`.
    receipt_file: Option<String>,
    /// The receipt is signed by a registry that you trust.
    receipt_trusted: bool,
    /// Where an OCI registry has the plain component.
    component: Option<String>,
    /// Where an OCI registry has the package.
    oci_package: Option<String>,
}

pub(super) fn run(context: &Context, args: &PublishArgs) -> CommandResult {
    let file = match &args.package {
        Some(_) => package_file(context, args.package.as_ref())?,
        None => present_package(context, args)?,
    };
    let bytes = read_bounded(context, &file, &Limits::default())?;
    context.warn_of_fixed_time();
    let trust = trust_store(context, args.trust_file.as_deref())?.store;
    // The platform runs the same stages, so a package that it would refuse is not sent.
    let verdict = verify(&bytes, &Policy::new(&trust, context.now()?));
    if !verdict.is_good() {
        let problems: Vec<_> = verdict.problems().cloned().collect();
        return Err(refusal(&problems).with_report(verdict.report));
    }
    let Some(package) = &verdict.package else { return Err(refusal(&[])) };
    let connection = args.connection.to(context, &args.to)?;
    let metadata = &package.manifest.metadata;
    let mut result = PublishResult {
        ok: true,
        id: metadata.id.to_string(),
        version: metadata.version.to_string(),
        sha256: verdict.sha256.clone(),
        already_there: false,
        attempts: 0,
        state: None,
        active_version: None,
        dry_run: args.dry_run || args.status,
        receipt: Value::Null,
        receipt_file: None,
        receipt_trusted: false,
        component: None,
        oci_package: None,
    };
    let sent = Arc::new(AtomicU64::new(0));
    let _watch = end_when_interrupted(context, args, &sent);
    if args.to.starts_with("oci://") {
        to_oci(context, args, &connection, &verdict, package, &bytes, &mut result)?;
    } else {
        to_platform(context, args, connection, &bytes, &sent, &mut result)?;
        if !result.receipt.is_null() {
            keep_receipt(context, &file, package, &trust, &mut result)?;
        }
    }
    context.ui.result(&result, || shown(args, &result, bytes.len() as u64));
    Ok(ExitCode::Ok)
}

/// The file of the project's package, which is packed first if it is stale.
fn present_package(context: &Context, args: &PublishArgs) -> Result<PathBuf, CommandError> {
    let open = context.open_project()?;
    let file = open.project.package_file(&open.manifest);
    let known = if file.is_file() {
        let bytes = read_bounded(context, &file, &Limits::default())?;
        Some(archive::open(&bytes, &Limits::default()).map_err(|problems| refusal(&problems))?)
    } else {
        None
    };
    let component = component_to_pack(context, &open, None, args.no_build)?;
    // The files of the existing package were checked for secrets when it was made.
    let allowed: Vec<String> =
        known.iter().flat_map(|known| known.entries.iter().map(|entry| entry.name.clone())).collect();
    let (bytes, package) = packed(context, &open, component, &allowed)?;
    let shown = context.shown(&file);
    match known {
        Some(known) if known.content_id == package.content_id => return Ok(file),
        Some(_) if args.no_build => {
            let error = CommandError::new(codes::PACKAGE_STALE, format!("{shown} is not of the present sources"));
            return Err(error.hint("erp-plugin pack, and sign it where it was signed"));
        }
        Some(known) if !known.envelope.signatures.is_empty() => {
            let message = format!("{shown} is signed, and not of the present sources");
            return Err(CommandError::new(codes::PACKAGE_STALE, message)
                .hint("erp-plugin pack, then erp-plugin sign, then publish again")
                .hint(format!("or publish it as it is: erp-plugin publish {shown}")));
        }
        None if args.no_build => {
            let message = format!("there is no package at {shown}");
            return Err(CommandError::new(codes::PACKAGE, message).hint("erp-plugin pack"));
        }
        _ => {}
    }
    erp_files::write(&file, &bytes, FileAccess::Shared)?;
    context.ui.status("Packed", format!("{} files into {shown}", package.entries.len()));
    Ok(file)
}

fn to_platform(
    context: &Context,
    args: &PublishArgs,
    connection: ServerConnection,
    bytes: &[u8],
    sent: &Arc<AtomicU64>,
    result: &mut PublishResult,
) -> Result<(), CommandError> {
    let client = Client::new(&args.to, connection)?;
    if result.dry_run {
        let known = client.receipt(&result.id, &result.version)?;
        result.already_there = known.as_ref().is_some_and(|known| known["sha256"] == result.sha256);
        result.receipt = known.unwrap_or(Value::Null);
        return Ok(());
    }
    let progress = context.ui.progress("Uploading", bytes.len() as u64, ProgressUnit::Bytes);
    let count = {
        let (progress, sent) = (progress.clone(), Arc::clone(sent));
        move |count| {
            sent.fetch_add(count, Ordering::Relaxed);
            progress.add(count);
        }
    };
    let published = client.publish(&result.id, &result.version, bytes, count, |why, wait| {
        progress.restart();
        context.ui.warn(format!("{why}; trying again in {:.1} s", wait.as_secs_f64()));
    });
    progress.finish();
    let published = published?;
    result.already_there = published.already_there;
    result.attempts = published.attempts;
    result.receipt = published.receipt;
    // A user who may upload may read this too. It is optional, so a platform may refuse to answer.
    if let Ok((200, plugin)) = client.ask("GET", &format!("/api/v1/admin/plugins/{}", result.id), None) {
        result.state = plugin["status"].as_str().map(printable);
        result.active_version = plugin["version"].as_str().map(printable);
    }
    Ok(())
}

fn to_oci(
    context: &Context,
    args: &PublishArgs,
    connection: &ServerConnection,
    verdict: &Verdict,
    package: &Package,
    bytes: &[u8],
    result: &mut PublishResult,
) -> Result<(), CommandError> {
    let border = verdict.component.as_ref().map(|component| component.border.clone()).unwrap_or_default();
    let artifact = OciPackage {
        id: &result.id,
        version: &result.version,
        imports: border.import_names(),
        exports: border.export_names(),
        component: package.component(),
        package: bytes,
        package_type: MIME_TYPE,
    };
    let progress =
        context.ui.progress("Uploading", (package.component().len() + bytes.len()) as u64, ProgressUnit::Bytes);
    let mode = if result.dry_run { Push::Look } else { Push::Send };
    let pushed = push(
        &args.to,
        connection,
        &artifact,
        mode,
        |count| progress.add(count),
        |why, wait| {
            progress.restart();
            context.ui.warn(format!("{why}; trying again in {:.1} s", wait.as_secs_f64()));
        },
    );
    progress.finish();
    let pushed = pushed?;
    result.attempts = u32::from(!result.dry_run && !pushed.already_there);
    result.already_there = pushed.already_there;
    result.component = Some(pushed.component);
    result.oci_package = Some(pushed.package);
    Ok(())
}

/// Checks the receipt, and writes it next to the package except in a dry run. Fails if it is for another package, or if
/// its signature is wrong.
fn keep_receipt(
    context: &Context,
    file: &Path,
    package: &Package,
    trust: &TrustStore,
    result: &mut PublishResult,
) -> Result<(), CommandError> {
    let envelope = &result.receipt["envelope"];
    if envelope.is_null() || (result.dry_run && !result.already_there) {
        return Ok(());
    }
    let wrong = |why: String| CommandError::new(verification::codes::BAD_SIGNATURE, why);
    let envelope = Envelope::parse(envelope.to_string().as_bytes())?;
    let receipt = Receipt::of_envelope(&envelope).map_err(|error| wrong(error.to_string()))?;
    if receipt.package_sha256() != Some(&result.sha256) {
        return Err(wrong("the platform's signed receipt is for another file".to_owned()));
    }
    if let Some(problem) = receipt_problem(&receipt, package) {
        return Err(refusal(&[problem]));
    }
    result.receipt_trusted = match trust.registry_of(&envelope) {
        RegistryStatus::Good { .. } => true,
        RegistryStatus::Unknown => false,
        RegistryStatus::Bad => return Err(wrong("the receipt is not what the registry signed".to_owned())),
    };
    if result.dry_run {
        return Ok(());
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".receipt.json");
    let file = PathBuf::from(name);
    erp_files::write(&file, envelope.to_json().as_bytes(), FileAccess::Shared)?;
    result.receipt_file = Some(context.shown(&file));
    Ok(())
}

fn shown(args: &PublishArgs, result: &PublishResult, bytes: u64) -> String {
    let known = !result.receipt.is_null() || result.already_there;
    let state = match (result.dry_run, result.already_there, known) {
        (_, true, _) if result.dry_run => "is there already",
        (true, false, true) => "is there with another content",
        (true, false, false) if args.status => "is not there",
        (true, false, false) => "would be sent",
        (_, true, _) => "was there already",
        _ => "published",
    };
    let mut text = format!("{} {} ({}) {state} at {}", result.id, result.version, ByteSize(bytes), args.to);
    if let (Some(state), Some(active)) = (&result.state, &result.active_version) {
        text.push_str(&format!("\n{}", next(args, result, state, active)));
    }
    for (what, place) in [("component", &result.component), ("package", &result.oci_package)] {
        if let Some(place) = place {
            text.push_str(&format!("\n{what:<9}  {place}"));
        }
    }
    if let Some(file) = &result.receipt_file {
        let trusted = if result.receipt_trusted { "" } else { " (no registry that you trust has signed it)" };
        text.push_str(&format!("\nreceipt    {file}{trusted}"));
    }
    text
}

/// The version that is active now, and the next command.
fn next(args: &PublishArgs, result: &PublishResult, state: &str, active: &str) -> String {
    let (id, version, to) = (&result.id, &result.version, &args.to);
    if active != version {
        return format!(
            "{version} is not active: the host has {active}, as after a rollback; a higher version goes forward: erp-plugin \
             version patch, then publish"
        );
    }
    match state {
        "running" => format!("{id} {version} is running"),
        "error" => format!("{id} {version} does not start: erp-plugin host --to {to} list says why"),
        state => format!("{id} {version} is {state}; start it: erp-plugin host --to {to} enable {id}"),
    }
}

/// Watches for Ctrl-C until it is dropped.
struct InterruptWatch {
    is_over: Arc<AtomicBool>,
    registered: Vec<signal_hook::SigId>,
}

impl Drop for InterruptWatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for signal in self.registered.drain(..) {
            signal_hook::low_level::unregister(signal);
        }
    }
}

/// Ends the program at once on Ctrl-C or SIGTERM, and reports whether anything was sent.
fn end_when_interrupted(context: &Context, args: &PublishArgs, sent: &Arc<AtomicU64>) -> InterruptWatch {
    let (interrupted, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // A signal that cannot be registered keeps its default action.
    let registered = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM]
        .into_iter()
        .filter_map(|signal| signal_hook::flag::register(signal, Arc::clone(&interrupted)).ok())
        .collect();
    let watch = InterruptWatch { is_over: Arc::clone(&is_over), registered };
    let (ui, to, sent) = (context.ui.direct(), args.to.clone(), Arc::clone(sent));
    let is_oci = to.starts_with("oci://");
    std::thread::spawn(move || {
        while !interrupted.load(Ordering::Relaxed) {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(INTERRUPT_CHECKS);
        }
        let message = if sent.load(Ordering::Relaxed) == 0 && !is_oci {
            "interrupted before anything was sent".to_owned()
        } else {
            format!("interrupted: it is not known whether {to} has the package")
        };
        let next = format!("erp-plugin publish --to {to} --status says what is there; running it again is safe");
        let error = CommandError::new(codes::INTERRUPTED, message).hint(next);
        end(error.report_to(&ui));
    });
    watch
}

#[expect(clippy::exit, reason = "the upload blocks another thread, which nothing else can end")]
fn end(code: ExitCode) -> ! {
    std::process::exit(i32::from(code.number()))
}
