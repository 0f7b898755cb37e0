//! The head of `plugin.toml`: the identity, the runtime settings and the capabilities of a plugin.

use std::collections::BTreeMap;
use std::time::Duration;

use semver::{Version, VersionReq};

use super::super::{ByteSize, PermissionCode, PluginId, Timeout, event_matches};
use super::{
    Build, Dictionary, Entity, Events, Fixture, I18n, Link, Migration, NodeKind, NumberingRule, Permission, Schema,
    Settings, UserInterface,
};
use crate::diagnostics::Spanned;
use crate::document::table;

/// The default fuel of a call, which is the platform's own default. Fuel counts WebAssembly instructions, so 10,000,000
/// is about 0.6 ms of one core: enough for an event handler, not for heavy computation.
pub const DEFAULT_FUEL: u64 = 10_000_000;
/// The default memory of a call, in bytes.
pub const DEFAULT_MEMORY: u64 = 64 << 20;
/// The maximum memory that a manifest may request, in bytes.
pub const MAX_MEMORY: u64 = 512 << 20;
/// The default time of a call.
pub const DEFAULT_TIME: Duration = Duration::from_secs(30);

table! {
    /// A plugin's manifest.
    pub struct Manifest {
        /// The format of this file: 1. Absent in manifests that were written for the platform's first version.
        manifest_version: Option<Spanned<u64>>,
        /// Who the plugin is.
        metadata: Metadata,
        /// What the plugin needs beside itself.
        dependencies: Dependencies,
        /// What the component is built for, and its budgets per call.
        runtime: RuntimeSettings,
        /// How the component is made.
        build: Build,
        /// Components that the plugin's own is composed with.
        link: Vec<Link>,
        /// What the plugin may ask of the host. Its own tables are always granted, all else is denied unless named here.
        capabilities: Capabilities,
        /// What a user may be allowed to do (RBAC).
        permissions: Vec<Permission>,
        /// The entities, each of which becomes a table per platform.
        schema: Schema,
        /// Rules that make numbers such as `PO20260415-0001`.
        numbering: Vec<NumberingRule>,
        /// Values that an administrator sets per tenant.
        settings: Settings,
        /// Events that the plugin receives and publishes.
        events: Events,
        /// Pages and actions.
        ui: UserInterface,
        /// Nodes that the plugin brings to workflows.
        nodes: Vec<NodeKind>,
        /// Labels in several languages.
        i18n: I18n,
        /// Bounds that `build` and `check` hold the plugin to.
        budget: Budget,
        /// Lists of values that several fields offer.
        dictionaries: Vec<Dictionary>,
        /// How stored rows follow to a new schema version.
        migrations: Vec<Migration>,
        /// Rows that come with the plugin, for each tenant.
        fixtures: Vec<Fixture>,
        /// Rows that show the plugin, for a tenant whose administrator asks for them.
        demo: Vec<Fixture>,
        /// How `check` weighs what it finds in this project.
        check: CheckSettings,
        /// What the plugin is developed for.
        dev: DevSettings,
    }
}

table! {
    /// What the plugin is developed for. The platform does not look here.
    pub struct DevSettings {
        /// The platform's version (semver) that `check` and `dev` compare `min_platform_version` and `[dependencies]
        /// platform` with, instead of this tool's.
        platform_version: Option<Spanned<String>>,
    }
}

table! {
    /// How `check` weighs what it finds in this project. The platform's own rules (`check --profile platform`,
    /// `pack` and every upload) do not look here.
    pub struct CheckSettings {
        /// Codes of warnings and hints that are not shown.
        ignore: Vec<Spanned<String>>,
        /// Codes with another weight: `error`, `warning` or `hint`. An error cannot be made less.
        severity: BTreeMap<String, Spanned<String>>,
    }
}

table! {
    /// Who the plugin is.
    pub struct Metadata {
        /// The plugin's name on every platform; it never changes.
        id: Spanned<PluginId>,
        /// The name that people read.
        name: Spanned<String>,
        /// The version (semver); raise it with every upload.
        version: Spanned<String>,
        /// One sentence about the plugin.
        description: String = String::new(),
        /// Who made it.
        author: String = String::new(),
        /// The licence, an SPDX expression such as `MIT` or `MIT OR Apache-2.0`.
        license: Option<Spanned<String>>,
        /// Where to read about it.
        homepage: Option<Spanned<String>>,
        /// Where its source is.
        repository: Option<Spanned<String>>,
        /// Words to find it by.
        keywords: Vec<String>,
        /// The shelf it stands on, such as `supply-chain`.
        category: Option<String>,
        /// The name of an icon.
        icon: Option<String>,
        /// The least version of the platform (semver).
        min_platform_version: Option<Spanned<String>>,
        /// Ids of plugins that must be there; the platform's first spelling of `[[dependencies.plugins]]`.
        dependencies: Vec<Spanned<PluginId>>,
    }
}

table! {
    /// What the plugin needs beside itself.
    pub struct Dependencies {
        /// The range of platform versions, such as `>=0.2, <1`.
        platform: Option<Spanned<String>>,
        /// Plugins that must be installed.
        plugins: Vec<PluginDependency>,
    }
}

table! {
    /// A plugin that must be installed.
    pub struct PluginDependency {
        /// Its id.
        id: Spanned<PluginId>,
        /// The range of its versions.
        version: Spanned<String> = Spanned::new("*".to_owned(), 0..0),
        /// True where the plugin also works without it.
        optional: bool = false,
    }
}

table! {
    /// What the component is built for, and its budgets per call.
    pub struct RuntimeSettings {
        /// The version of the host API: `erp:plugin@1.0.0` or `legacy`.
        abi: Spanned<String> = Spanned::new("erp:plugin@1.0.0".to_owned(), 0..0),
        /// The world of that version that the component implements; that of whole plugins if it is absent.
        world: Option<Spanned<String>>,
        /// Linear memory that one call may use, all memories summed.
        memory: Spanned<ByteSize> = Spanned::new(ByteSize(DEFAULT_MEMORY), 0..0),
        /// Fuel that one call may burn. It counts WebAssembly instructions: the default of 10,000,000 is about 0.6 ms of one core.
        fuel: Spanned<u64> = Spanned::new(DEFAULT_FUEL, 0..0),
        /// Time that one call may take, host calls included.
        timeout: Spanned<Timeout> = Spanned::new(Timeout(DEFAULT_TIME), 0..0),
    }
}

table! {
    /// What the plugin may ask of the host.
    pub struct Capabilities {
        /// Entities of other plugins that it reads, as `plugin.entity`.
        read_entities: Vec<Spanned<String>>,
        /// Events that it may publish: exact names, `a.*` or `*`.
        publish: Vec<Spanned<String>>,
        /// A key-value store per tenant.
        kv: Spanned<bool> = Spanned::new(false, 0..0),
        /// Keys of the platform's configuration that it reads; `*` at the end matches any rest.
        config: Vec<Spanned<String>>,
        /// Secrets that it reads, by their keys.
        secrets: Vec<Spanned<String>>,
        /// Addresses that it may call, such as `https://api.example.com/v1/*`; the host may begin with `*.`. Private
        /// addresses are refused unless they are written here as they are.
        http: Vec<Spanned<String>>,
        /// Files that it keeps per tenant.
        blob: Spanned<bool> = Spanned::new(false, 0..0),
        /// What conversations and workflows remember, per tenant and session.
        memory: Spanned<bool> = Spanned::new(false, 0..0),
        /// What is denied whatever the lists above say.
        deny: DeniedCapabilities,
    }
}

table! {
    /// What is denied whatever the other lists say.
    pub struct DeniedCapabilities {
        /// Entities of other plugins.
        read_entities: Vec<Spanned<String>>,
        /// Events.
        publish: Vec<Spanned<String>>,
        /// Keys of the platform's configuration.
        config: Vec<Spanned<String>>,
        /// Secrets.
        secrets: Vec<Spanned<String>>,
        /// Addresses.
        http: Vec<Spanned<String>>,
    }
}

table! {
    /// Bounds that `build` and `check` hold the plugin to.
    pub struct Budget {
        /// The greatest size of the component.
        wasm: Spanned<ByteSize> = Spanned::new(ByteSize(2 << 20), 0..0),
    }
}

impl Capabilities {
    /// Returns whether the plugin may publish an event: it is granted and not denied.
    pub fn may_publish(&self, event_type: &str) -> bool {
        self.publish.iter().any(|pattern| event_matches(pattern, event_type))
            && !self.deny.publish.iter().any(|pattern| event_matches(pattern, event_type))
    }
}

impl Manifest {
    /// True for a manifest that was written for the platform's first version.
    pub fn is_legacy(&self) -> bool {
        self.manifest_version.is_none()
    }

    /// The platform version in `[dev]`; `None` if it is absent or not a version.
    pub fn dev_platform_version(&self) -> Option<Version> {
        Version::parse(self.dev.platform_version.as_ref()?).ok()
    }

    /// Returns why the plugin does not run on a platform version, with the value of the manifest that excludes it.
    /// Ignores values that are not versions; `check` reports those.
    pub fn platform_refusal(&self, platform: &Version) -> Option<(&Spanned<String>, String)> {
        let least = self.metadata.min_platform_version.as_ref().and_then(|text| {
            let least = Version::parse(text).ok().filter(|least| platform < least)?;
            Some((text, format!("it needs the platform {least} at least, and this is {platform}")))
        });
        least.or_else(|| {
            let range = self.dependencies.platform.as_ref()?;
            let wanted = VersionReq::parse(range).ok().filter(|wanted| !wanted.matches(platform))?;
            Some((range, format!("it needs the platform {wanted}, and this is {platform}")))
        })
    }

    /// All pages, including those behind tabs.
    pub fn all_pages(&self) -> impl Iterator<Item = &super::Page> {
        fn within(page: &super::Page) -> Vec<&super::Page> {
            std::iter::once(page).chain(page.pages.iter().flat_map(|tab| within(&tab.0))).collect()
        }
        self.ui.pages.iter().flat_map(within)
    }

    /// The page with this name, also if it is behind tabs.
    pub fn page(&self, name: &str) -> Option<&super::Page> {
        self.all_pages().find(|page| page.route() == name)
    }

    /// The ids and version ranges of the plugins that this one requires.
    pub fn needs(&self) -> impl Iterator<Item = (&str, &str)> {
        let declared = self.dependencies.plugins.iter().filter(|dependency| !dependency.optional);
        let declared = declared.map(|dependency| (dependency.id.as_str(), dependency.version.as_str()));
        declared.chain(self.metadata.dependencies.iter().map(|id| (id.as_str(), "*")))
    }

    /// The ids of the optional dependencies, which this plugin uses if they are installed.
    pub fn optional_dependencies(&self) -> impl Iterator<Item = &str> {
        let optional = self.dependencies.plugins.iter().filter(|dependency| dependency.optional);
        optional.map(|dependency| dependency.id.as_str())
    }

    /// The entity of this name.
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.schema.entities.iter().find(|entity| entity.name.as_str() == name)
    }

    /// The permission of this code.
    pub fn permission(&self, code: &PermissionCode) -> Option<&Permission> {
        self.permissions.iter().find(|permission| *permission.code == *code)
    }

    /// The node of this kind.
    pub fn node(&self, kind: &str) -> Option<&NodeKind> {
        self.nodes.iter().find(|node| node.kind.as_str() == kind)
    }

    /// The numbering rule of this name.
    pub fn numbering_rule(&self, name: &str) -> Option<&NumberingRule> {
        self.numbering.iter().find(|rule| rule.name.as_str() == name)
    }
}
