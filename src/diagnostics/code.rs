//! Every kind of finding: its stable code, its weight, and the text that `erp-plugin explain`
//! prints and `docs/diagnostics.md` is made from.
//!
//! A code is never renamed and never reused. `tests/diagnostics/<area>/<phrase>/` proves each code
//! of a plugin project and is its example.

use super::Severity;

/// A kind of finding.
#[derive(Debug, Clone, Copy)]
pub struct Code(&'static Entry);

#[derive(Debug)]
struct Entry {
    name: &'static str,
    severity: Severity,
    title: &'static str,
    why: &'static str,
    fix: &'static str,
}

impl Code {
    /// The stable name, `area/phrase`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// How much it weighs where no setting says otherwise.
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// One line.
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// Why it is bad.
    pub fn why(self) -> &'static str {
        self.0.why
    }

    /// What to do.
    pub fn fix(self) -> &'static str {
        self.0.fix
    }

    /// The code of this name.
    pub fn find(name: &str) -> Option<Code> {
        codes::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Code) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Code {}

macro_rules! declare {
    ($( $constant:ident = $name:literal, $severity:ident, $title:literal, why: $why:literal, fix: $fix:literal; )*) => {
        /// The codes.
        pub mod codes {
            use super::{Code, Entry, Severity};

            $(
                #[doc = $title]
                pub const $constant: Code = Code(&Entry {
                    name: $name,
                    severity: Severity::$severity,
                    title: $title,
                    why: $why,
                    fix: $fix,
                });
            )*

            /// Every code, in the order of the documentation.
            pub const ALL: &[Code] = &[$($constant),*];
        }
    };
}

declare! {
    TOML_SYNTAX = "toml/syntax", Error, "The file is not valid TOML.",
        why: "Nothing behind the place can be read for sure, so no other rule looks at the file.",
        fix: "Mend the place that the finding points to. Texts need quotes, and a table's keys come before its sub-tables.";
    TOML_UNKNOWN_KEY = "toml/unknown-key", Error, "A key that is not known in this table.",
        why: "A misspelled key would be ignored in silence, and the plugin would do something else than its manifest says.",
        fix: "Use the suggested key, or take the key away. `erp-plugin schema manifest` prints all keys, also for editors.";
    TOML_MISSING_KEY = "toml/missing-key", Error, "A key that must be there is missing.",
        why: "There is no default that could stand for it.",
        fix: "Add the key to the table that the finding points to.";
    TOML_WRONG_TYPE = "toml/wrong-type", Error, "A value of another type than the key takes.",
        why: "The platform would refuse the file, or read another value than you meant.",
        fix: "Write the value in the type that the finding names: texts in quotes, numbers and true or false without.";
    TOML_UNKNOWN_WORD = "toml/unknown-word", Error, "A word that is not in the set that the key takes.",
        why: "The platform knows only the words of the set.",
        fix: "Use one of the words that the finding names.";
    INVALID_NAME = "manifest/invalid-name", Error, "An identifier that does not follow its rule.",
        why: "Names become parts of table names, URLs and event names, which all must stay readable and unambiguous.",
        fix: "Use lower-case ASCII letters and digits in words joined by `-` (plugins) or `_` (entities, fields). The names that people read go into `name`, `display_name` and `label`, in any language.";
    INVALID_VALUE = "manifest/invalid-value", Error, "A value that cannot be read as what the key means.",
        why: "The platform would refuse it on upload.",
        fix: "Write the value in the form that the finding names.";
    MANIFEST_VERSION = "manifest/version", Error, "A manifest of a format that this tool does not know.",
        why: "A newer format may mean something else by the same keys.",
        fix: "Write `manifest_version = 1`, or update erp-plugin.";
    LEGACY_MANIFEST = "manifest/legacy", Hint, "The manifest has no `manifest_version`.",
        why: "Manifests of the platform's first version have none; they load, but cannot name an ABI and capabilities safely.",
        fix: "Write `manifest_version = 1` as the first line.";
    PERMISSIONS_TABLE = "manifest/permissions-table", Error, "`[permissions]` instead of `[[permissions]]` or `[capabilities]`.",
        why: "`[[permissions]]` lists what users may do (RBAC). What the plugin may ask of the host is called capabilities.",
        fix: "Write one `[[permissions]]` block for each permission, and put what the plugin needs from the host into `[capabilities]`.";
    RESERVED_NAME = "manifest/reserved-name", Error, "A field with the name of a standard column.",
        why: "The host owns id, tenant_id, created_at, created_by, updated_at, updated_by, deleted_at, version and data; a field of that name could not be told from it.",
        fix: "Give the field another name.";
    RESERVED_KEY = "manifest/reserved-key", Error, "A key that is reserved for a later version.",
        why: "Nothing acts on it yet. A key that is accepted and does nothing would promise what nobody keeps.",
        fix: "Take it away for now. `docs/manifest.md` lists the reserved keys and what they are for.";
    BAD_MIGRATION = "migration/bad-step", Error, "A step of a migration cannot be done.",
        why: "An upgrade goes through all steps in one transaction; one that names what is not there would stop it at every customer's.",
        fix: "Name entities and fields as this version calls them, the old name in `from`, and give what the step needs.";
    AT_STAKE = "migration/at-stake", Error, "Values of the previous version would be lost, or may not fit.",
        why: "A customer has a year of rows; the platform refuses an upgrade that loses one of them without a step that says so.",
        fix: "Say what becomes of the values: `renamed_from`, or a step of `[[migrations]]` (`change_type`, `split`, `merge`, `backfill`, `drop_field`). Rehearse it: `erp-plugin migrate rehearse --from <old.erpx>`.";
    SCHEMA_VERSION = "migration/schema-version", Error, "Rows must follow, and the schema version is not higher.",
        why: "Migrations are chosen by the schema version that a customer's rows have.",
        fix: "Raise `schema_version` in `[schema]` by one.";
    LONG_KEY = "storage/long-key", Warning, "Long text is a field that rows are found by.",
        why: "PostgreSQL's indexes hold no more than 2,704 bytes of a row, so the store refuses longer values on both databases.",
        fix: "Bound the text by `validation.max_length`, or do not filter and sort by it.";
    FLOAT_SUM = "storage/float-sum", Hint, "Sums of binary fractions depend on the database.",
        why: "A sum of floats depends on the order in which they are added, and the databases choose it; decimals are added exactly.",
        fix: "Use `decimal` or `currency` where the digits matter.";
    UNORDERED = "storage/unordered", Error, "Lists are sorted by a field that has no order.",
        why: "JSON, lists and places cannot be compared in the same way on both databases.",
        fix: "Take `sortable` away, or keep what is sorted by in a field of its own.";
    BAD_FIXTURE = "migration/bad-fixture", Error, "Rows that come with the plugin cannot be used.",
        why: "They are brought to every tenant when the plugin is enabled or upgraded; one that does not fit would stop that.",
        fix: "Name an entity and fields that are there, give values that the fields take, and a file of .csv, .json or .toml that is packed.";
    VERSION_NOT_RAISED = "manifest/version-not-raised", Error, "The version is not higher than the previous one.",
        why: "A platform never takes two contents for one version, and no older version after a newer one.",
        fix: "Raise `version` in `[metadata]`.";
    NEW_CAPABILITY = "manifest/new-capability", Warning, "The plugin asks for more than its previous version.",
        why: "Administrators agreed to what the previous version asked for; they must agree again.",
        fix: "Say in the changelog what it is for, or do without it.";
    DUPLICATE = "manifest/duplicate", Error, "The same name twice.",
        why: "The second one would hide the first one.",
        fix: "Rename one of them, or take it away.";
    TABLE_NAME_TOO_LONG = "manifest/table-name-too-long", Error, "The entity's table would have a name of more than 63 bytes.",
        why: "PostgreSQL cuts longer names in silence, and two tables may then have the same one.",
        fix: "Shorten the plugin's id or the entity's name.";
    UNKNOWN_ENTITY = "manifest/unknown-entity", Error, "A name that is no entity of this plugin.",
        why: "The platform could not find the table.",
        fix: "Use the name of a `[[schema.entities]]` block, or add one.";
    UNKNOWN_FIELD = "manifest/unknown-field", Error, "A name that is no field of the entity.",
        why: "The platform would show an empty column or fail.",
        fix: "Use the name of a field of the entity.";
    MISSING_OPTIONS = "manifest/missing-options", Error, "A `select` without options, or options without a `select`.",
        why: "A select without options takes no value at all; options of other types are ignored.",
        fix: "Add `options = [{ value = \"…\", label = \"…\" }]`, or change the field's type.";
    MISSING_REFERENCE = "manifest/missing-reference", Error, "A `ref` without `ref_entity`, or `ref_entity` without a `ref`.",
        why: "The host could neither check the id nor show a label for it.",
        fix: "Say which entity the field names rows of, or change the field's type.";
    BAD_DEFAULT = "manifest/bad-default", Error, "A default that the field itself would refuse.",
        why: "Every row that brings no value would be refused.",
        fix: "Write a default that fits the field's type and bounds.";
    BAD_RELATION = "manifest/bad-relation", Error, "A relation or a parent without the field that makes it.",
        why: "Rows are tied together by a `ref` field of the dependent entity; without it nothing hangs on anything.",
        fix: "Add a field of type `ref` with `ref_entity` to the dependent entity, and name it as `foreign_key`.";
    BAD_NUMBERING = "manifest/bad-numbering", Error, "A numbering rule that cannot work, or a field that names none.",
        why: "Rows could not be given their number, or would get the same one twice.",
        fix: "The rule's `format` needs `{seq}`, and with a reset also the date parts that keep the periods apart; the field's `numbering` names a `[[numbering]]` block.";
    DATA_SCOPE = "manifest/data-scope", Error, "Row scopes without a field that says whose a row is.",
        why: "Administrators could narrow what a user sees, and the host could not tell which rows those are.",
        fix: "Give the entity a field of the type `user` with `scope_role = \"owner\"`, and one of the type `department` where departments matter.";
    UNUSED = "manifest/unused", Warning, "A declaration that nothing in the manifest uses.",
        why: "It looks as if something were offered or granted that is not.",
        fix: "Use it, or take it away.";
    UNKNOWN_DEPENDENCY = "manifest/unknown-dependency", Error, "Another plugin is used but not declared.",
        why: "The platform installs and orders plugins by their declared dependencies.",
        fix: "Add a `[[dependencies.plugins]]` block with its id, `optional = true` where the plugin also works without it.";
    SELF_DEPENDENCY = "manifest/self-dependency", Error, "The plugin depends on itself.",
        why: "It could never be installed.",
        fix: "Take the dependency away.";
    INVALID_PERMISSION = "manifest/invalid-permission", Error, "A permission code that does not name an entity and an action.",
        why: "The platform derives what to protect from the code: `entity.list` to see, `entity.manage` to change, other actions for buttons.",
        fix: "Write the code as `<entity>.<action>` with an entity of this plugin.";
    MISSING_PERMISSION = "manifest/missing-permission", Warning, "An entity that nobody can be allowed to see or to change.",
        why: "Without `entity.list` and `entity.manage` no role can be given the entity, so that only administrators reach it.",
        fix: "Add `[[permissions]]` blocks for the codes that the finding names.";
    UNDECLARED_PERMISSION = "manifest/undeclared-permission", Error, "A page or an action asks for a permission that is not declared.",
        why: "No role could have it, so nobody could open the page or press the button.",
        fix: "Add a `[[permissions]]` block with that code, or name a declared one.";
    UNUSED_PERMISSION = "manifest/unused-permission", Hint, "A permission that nothing in the manifest asks for.",
        why: "Administrators would grant it, and perhaps nothing would change.",
        fix: "Name it in a page, an action or a template; leave it where the plugin's code asks for it; or take it away.";
    EVENT_LOOP = "manifest/event-loop", Warning, "The plugin subscribes to an event that it tells itself.",
        why: "A handler that tells what it hears starts itself again; the platform ends such chains, and the work of the last link is lost.",
        fix: "Subscribe to the exact events that you need, or make the handler tell nothing where it was called by its own event.";
    BAD_PAGE = "manifest/bad-page", Error, "A page without what its type needs, or with what it cannot use.",
        why: "The platform could not show it.",
        fix: "A `crud` page needs `entity`; a `custom` page needs `file`; filters must be `filterable` fields, and a search box needs a `searchable` one.";
    MISSING_FILE = "manifest/missing-file", Error, "A file that the manifest names is not there.",
        why: "The package would be refused, or a page would stay empty.",
        fix: "Add the file, or mend its path; paths are relative to the manifest and stay inside the project.";
    EVENT_PATTERN = "manifest/event-pattern", Error, "An event name or pattern that matches nothing.",
        why: "Events are words joined by dots. A subscription is an exact name, `a.*` for all that begin with `a.`, or `*` for all; any other star is a plain character.",
        fix: "Write the pattern in one of the three forms.";
    EVENT_NOT_GRANTED = "manifest/event-not-granted", Error, "The plugin declares an event that its capabilities do not let it publish.",
        why: "The host would refuse the event at run time, and with it the call that tells it.",
        fix: "Add the event, or a pattern that matches it, to `publish` in `[capabilities]`.";
    NODE_DEFINITION = "node/bad-definition", Error, "A node of a workflow that cannot be placed.",
        why: "Users choose nodes from a palette and fill in their properties; what is wrong there fails when the workflow runs, at night.",
        fix: "Write it as the finding says; `docs/nodes.md` shows a whole node.";
    NODE_DIFFERS = "node/other-definition", Error, "The component and the manifest define a node differently.",
        why: "Users place what the manifest shows, and the component runs what it knows: a property that only one of them has is lost without a word.",
        fix: "Let `erp-plugin generate` write the definitions from the manifest, and build again.";
    MISSING_EXPORT_FOR_EVENTS = "manifest/events-without-handler", Error, "The manifest subscribes to events, or has actions or nodes, but the world has no export for them.",
        why: "The platform would have nothing to call.",
        fix: "Name a world with the export: `event-plugin` for events, `action-plugin` for actions, `entity-plugin` for both, `node-plugin` for nodes.";
    UNKNOWN_ABI = "manifest/unknown-abi", Error, "A host API version or a world that this tool does not know.",
        why: "Nothing can be said about whether the component would load.",
        fix: "Use one of those that the finding names, or update erp-plugin.";
    MISSING_TRANSLATION = "manifest/missing-translation", Warning, "A label has no translation, or a translation has no label.",
        why: "Users of that language would see the label of another one.",
        fix: "Add the key to, or take it from, the file of the language.";
    EXPRESSION_SYNTAX = "expression/syntax", Error, "An expression that cannot be read.",
        why: "The platform would refuse the manifest, or never show, require or compute what the expression decides.",
        fix: "Mend the place that the finding points to. Texts stand in single quotes, fields do not; `docs/expressions.md` lists operators and functions.";
    EXPRESSION_TYPE = "expression/type", Error, "An expression that does not fit the entity's fields.",
        why: "It names what is not there, compares what can never be equal, or gives another kind of value than its key needs.",
        fix: "Use the fields of the entity and their options; conditions give true or false, and a computed field gives its own type.";
    EXPRESSION_CYCLE = "expression/cycle", Error, "Computed fields that need each other.",
        why: "There is no order in which they could be computed.",
        fix: "Let one of them be computed from fields that users fill in.";
    NOT_WASM = "component/not-wasm", Error, "The file is no WebAssembly.",
        why: "The platform loads WebAssembly components only.",
        fix: "Build the plugin with `erp-plugin build`.";
    CORE_MODULE = "component/core-module", Error, "The file is a core module and not a component.",
        why: "The platform loads components: a core module has no typed interfaces. Builds for wasm32-unknown-unknown and wasm32-wasip1 make core modules.",
        fix: "Build for `wasm32-wasip2`: `erp-plugin build` does.";
    INVALID_COMPONENT = "component/invalid", Error, "The component is damaged or uses a feature that the platform has switched off.",
        why: "The platform validates every component before it compiles it.",
        fix: "Build it again with `erp-plugin build`; take away threads, 64-bit memories, exceptions and garbage collection.";
    WRONG_WORLD = "component/wrong-world", Error, "The component is built for another world or version than the manifest names.",
        why: "The platform would look for exports that are not there.",
        fix: "Make `[runtime] abi` and `world` say what the component is built for, run `erp-plugin generate`, and build again.";
    MISSING_EXPORT = "component/missing-export", Error, "The component lacks an export that its world promises.",
        why: "The platform would have nothing to call.",
        fix: "Implement the interface's `Guest` trait and pass the type to `export!`, or name a smaller world in the manifest.";
    UNKNOWN_IMPORT = "component/unknown-import", Error, "The component imports what the platform does not offer.",
        why: "The platform links the host API and nothing else, so the component could not be instantiated.",
        fix: "Build with `erp-plugin build`, which links WASI away; take away crates that call other hosts.";
    WASI_IMPORT = "component/wasi-import", Error, "The component imports WASI.",
        why: "The platform links the host API and nothing else: no files, no sockets, no environment. A Rust std guest drags in a dozen WASI interfaces without ever using them.",
        fix: "Build with `erp-plugin build`, which links WASI away. For a component from elsewhere the finding names the function and the crate that need it, and what to use instead.";
    WRONG_VERSION = "component/wrong-version", Error, "The component was built for another version of the host API.",
        why: "Within a major version the host serves everything that is older; anything else has other functions or other types.",
        fix: "Build with `erp-plugin build`, or name the version that it was built for in `[runtime] abi`. `erp-plugin wit targets` shows what it loads on.";
    COMPONENT_EXCESSIVE = "component/excessive", Error, "The component passes a bound that is checked before anything looks closer.",
        why: "Validating and compiling cost time and memory that a hostile component could choose; the bounds keep a server alive.",
        fix: "Build with `--release`, take large dependencies away, or split the plugin.";
    TOO_COMPLEX = "component/too-complex", Error, "Compiling the component would cost more than its size says.",
        why: "A few KB can keep a compiler busy for minutes and fill gigabytes: calls and branches with hundreds of operands, values that live across thousands of branches, blocks that nest without end. The cost is counted before anything is validated or compiled.",
        fix: "Compilers of languages do not write such code. Pass fewer values at once (by memory), split the function, or build with `--release`.";
    FOREIGN_NAME = "component/foreign-name", Error, "A name at the component's border asks for something to be loaded.",
        why: "The platform links the host API by the names of its interfaces. Addresses, digests and dependencies at the border mean nothing to it, and neither do functions that are named like interfaces.",
        fix: "Build with `erp-plugin build`; link other components with `[[link]]` instead of importing them by an address.";
    UNDECLARED_CAPABILITY = "component/undeclared-capability", Error, "The component asks for what the manifest does not grant.",
        why: "The host would refuse every such call; and a reviewer reads in the manifest what a plugin may do.",
        fix: "Add the key to `[capabilities]`, or take the call away.";
    UNUSED_CAPABILITY = "component/unused-capability", Warning, "The manifest grants what the component never asks for.",
        why: "A reviewer must judge everything that is granted, and a later version could use it unseen.",
        fix: "Take the key out of `[capabilities]`.";
    SCENARIO_FAULT = "scenario/fault", Error, "The plugin does not bear that the host fails once.",
        why: "Disks fill up and connections break. The host undoes a call whose error is passed on, and gives an event again; a plugin that traps or goes on leaves other rows than it should.",
        fix: "Pass errors of the host on with `?`; do not unwrap them, and do not go on as if nothing had happened.";
    SCENARIO_BUDGET = "scenario/over-budget", Error, "A case burns more fuel than its lock allows.",
        why: "Fuel is exact: the same code burns the same on every machine, so growth is a change of the code and never noise.",
        fix: "Look for new work in a loop; where the growth is wanted, `erp-plugin test --accept` writes it into tests/budget.lock.toml.";
    SCENARIO_ISOLATION = "scenario/isolation", Error, "A tenant sees what another tenant does.",
        why: "Each case is run again with another tenant doing the same in between; whatever it sees must stay the same to the byte.",
        fix: "Let no row, key, number or name be shared by tenants; read and write through the host, which keeps them apart.";
    SCENARIO_SNAPSHOT = "scenario/unreferenced-snapshot", Warning, "A snapshot that no step names.",
        why: "Nobody would notice when what it shows changes.",
        fix: "Delete the file, or name it: `expect.snapshot = \"…\"`.";
    UNTESTED_CAPABILITY = "scenario/untested-capability", Hint, "A capability that no scenario makes the plugin use.",
        why: "Nobody has seen what the plugin does with it; and what is granted must be reviewed.",
        fix: "Write a scenario that needs it, or take it out of `[capabilities]`.";
    INTERFACE_MISMATCH = "component/interface-mismatch", Error, "An import or export has another type than in the host API.",
        why: "The component was built against another text of the WIT: the call could not be made.",
        fix: "Run `erp-plugin generate` to get bindings for the WIT of this binary, and build again.";
    LARGER_WORLD = "component/larger-world", Hint, "A smaller world would do.",
        why: "The world says what a plugin may ask of the host and what the host calls; a reviewer must judge all of it, and code that does nothing must be kept.",
        fix: "Write the smaller world into `[runtime]`, and take away what it does not export.";
    UNUSED_EXPORT = "component/unused-export", Warning, "The component exports what its world does not know.",
        why: "The platform never calls it.",
        fix: "Take the export away, or name a world that knows it.";
    COMPONENT_TOO_LARGE = "component/too-large", Error, "The component is larger than `[budget] wasm`.",
        why: "Large components load slowly and often hold what nobody meant to ship.",
        fix: "Build with `--release`; look for large dependencies; or raise the budget.";
    LOCAL_PATH = "component/local-path", Warning, "The component names a folder of the machine that built it.",
        why: "It tells strangers who built it and where, and no other machine builds the same bytes.",
        fix: "Build with `erp-plugin build --release`, which puts other names in the place of such folders.";
    SEVERAL_MODULES = "component/several-modules", Error, "The component is made of several core modules and still imports WASI.",
        why: "This version of the tool links WASI away from components with one core module, as compilers of Rust, C and Go make them.",
        fix: "Build the guest without WASI, or with a toolchain that makes one core module.";
    SCENARIO_STEP = "scenario/bad-step", Error, "A step that does not do exactly one thing.",
        why: "Each step has one act, so that its expectations belong to it alone.",
        fix: "Write one of `http`, `event`, `call` or `advance` in each step.";
    SCENARIO_NAME = "scenario/unknown-name", Error, "A user, fixture, capture or column that is not defined.",
        why: "The test would send the text itself, and might pass for the wrong reason.",
        fix: "Define it, or use the name that the finding suggests.";
    SCENARIO_UNUSED = "scenario/unused", Error, "A case column, a capture or a fixture that nothing uses.",
        why: "It looks as if something were tested that is not.",
        fix: "Use it in a step with `${name}` or `use = [\"name\"]`, or take it away.";
    SCENARIO_VALUE = "scenario/bad-value", Error, "A value, matcher or table that cannot be read.",
        why: "The test could not be run.",
        fix: "Write it in the form that the finding names.";
    SCENARIO_MISMATCH = "scenario/mismatch", Error, "What happened is not what the scenario expects.",
        why: "The plugin does something else than the scenario says.",
        fix: "Mend the plugin, or the expectation where the plugin is right.";
    SCENARIO_UNEXPECTED = "scenario/unexpected-effect", Error, "Something happened that no step expects.",
        why: "Scenarios are a closed world: a write, an event, a warning or an error that nobody expects is a finding.",
        fix: "Expect it (`expect.db`, `expect.events`, `expect.logs`), or write `effects = \"open\"` in the step to allow it.";
}
