//! The tables of `plugin.toml`. `docs/manifest.md` and the JSON Schema are made from the doc
//! comments here.

use std::time::Duration;

use serde_json::Value;

use super::{ByteSize, EntityName, FieldName, FieldType, PluginId, Timeout};
use crate::diagnostics::Spanned;
use crate::document::{table, words};

/// Fuel that a call may burn where the manifest says nothing: the platform's own default. Fuel
/// counts WebAssembly instructions, so 10,000,000 is about 0.6 ms of one core: enough for an event
/// handler, not for number crunching.
pub const DEFAULT_FUEL: u64 = 10_000_000;

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
        runtime: Runtime,
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
        /// Events that the plugin hears and tells.
        events: Events,
        /// Pages and actions.
        ui: Ui,
        /// Labels in several languages.
        i18n: I18n,
        /// Bounds that `build` and `check` hold the plugin to.
        budget: Budget,
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
    pub struct Runtime {
        /// The version of the host API: `erp:plugin@1.0.0` or `legacy`.
        abi: Spanned<String> = Spanned::new("erp:plugin@1.0.0".to_owned(), 0..0),
        /// The world of that version that the component implements.
        world: Option<Spanned<String>>,
        /// Linear memory that one call may use, all memories summed.
        memory: Spanned<ByteSize> = Spanned::new(ByteSize(64 << 20), 0..0),
        /// Fuel that one call may burn. It counts WebAssembly instructions: the default of 10,000,000 is about 0.6 ms of one core.
        fuel: Spanned<u64> = Spanned::new(DEFAULT_FUEL, 0..0),
        /// Time that one call may take, host calls included.
        timeout: Spanned<Timeout> = Spanned::new(Timeout(Duration::from_secs(30)), 0..0),
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
        kv: bool = false,
        /// Keys of the platform's configuration that it reads; `*` at the end matches any rest.
        config: Vec<Spanned<String>>,
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
    }
}

words! {
    /// How far a permission reaches.
    pub enum DataScope {
        /// Rows that the user owns.
        OwnRows = "self",
        /// Rows of the user's department.
        Department = "department",
        /// Rows of the user's department and those below it.
        DepartmentTree = "department_tree",
        /// All rows of the tenant.
        All = "all",
    }
}

table! {
    /// What a user may be allowed to do.
    pub struct Permission {
        /// `entity.list`, `entity.manage`, or an entity with a verb of your own.
        code: Spanned<String>,
        /// The name that administrators read.
        name: String,
        /// What it allows.
        description: Option<String>,
        /// How far an administrator may let it reach.
        data_scope_levels: Vec<DataScope>,
    }
}

table! {
    /// The entities.
    pub struct Schema {
        /// Raise it with every change that stored data must follow.
        schema_version: u64 = 1,
        /// The entities.
        entities: Vec<Entity>,
    }
}

table! {
    /// A kind of row.
    pub struct Entity {
        /// Its name, part of the table's name and of the URL.
        name: Spanned<EntityName>,
        /// The name that people read.
        display_name: String,
        /// What a row is.
        description: Option<String>,
        /// The field whose value names a row.
        title_field: Option<Spanned<FieldName>>,
        /// True where other plugins may read it.
        is_public: bool = false,
        /// The entity that its rows belong to; they go when their parent goes.
        child_of: Option<Spanned<EntityName>>,
        /// Its fields.
        fields: Vec<Field>,
        /// How rows of other entities hang on its rows.
        relations: Vec<Relation>,
        /// Indexes over several fields.
        indexes: Vec<Index>,
    }
}

table! {
    /// A field of an entity.
    pub struct Field {
        /// Its name, the key in the row's JSON.
        name: Spanned<FieldName>,
        /// What it holds.
        field_type: Spanned<FieldType>,
        /// The name that people read.
        display_name: Option<String>,
        /// What it means.
        description: Option<String>,
        /// True where a row must have a value.
        required: bool = false,
        /// True where no two live rows of a tenant have the same value.
        unique: bool = false,
        /// The value of a row that brings none: a literal, or `$now`, `$today`, `$user.id`, `$uuid`.
        default: Option<Spanned<Value>>,
        /// The values of a `select` or `multi_select`.
        options: Vec<FieldOption>,
        /// True where the search box looks into it.
        searchable: bool = false,
        /// True where lists can be filtered by it.
        filterable: bool = false,
        /// True where lists can be sorted by it.
        sortable: bool = false,
        /// Bounds on the value.
        validation: Option<Validation>,
        /// The entity that a `ref` or `ref_many` names rows of.
        ref_entity: Option<Spanned<EntityName>>,
        /// The plugin that `ref_entity` belongs to, where it is not this one.
        ref_plugin: Option<Spanned<PluginId>>,
        /// The field of the referenced row that stands for it.
        ref_label_field: Option<Spanned<FieldName>>,
        /// What is shown where the referenced plugin is not installed.
        ref_fallback_label: Option<String>,
        /// Digits of a decimal, in all.
        precision: Option<u32>,
        /// Digits of a decimal behind the point.
        scale: Option<u32>,
        /// The `[[numbering]]` rule that gives the value to rows that bring none.
        numbering: Option<Spanned<String>>,
        /// True where only the host and the plugin's own code set it, never a user.
        read_only: bool = false,
    }
}

table! {
    /// A value that a `select` offers.
    pub struct FieldOption {
        /// What is stored.
        value: String,
        /// What people read.
        label: String,
        /// The colour of its tag.
        color: Option<String>,
    }
}

table! {
    /// Bounds on a field's value.
    pub struct Validation {
        /// A regular expression that the whole text must match.
        pattern: Option<Spanned<String>>,
        /// The least value.
        min: Option<Spanned<Value>>,
        /// The greatest value.
        max: Option<Spanned<Value>>,
        /// The least number of characters.
        min_length: Option<u64>,
        /// The greatest number of characters.
        max_length: Option<u64>,
        /// What to tell the user.
        message: Option<String>,
    }
}

words! {
    /// What happens to dependent rows when a row goes.
    pub enum OnDelete {
        /// The row cannot go while others name it.
        Restrict = "restrict",
        /// They go with it.
        Cascade = "cascade",
        /// Their field becomes null.
        Nullify = "nullify",
    }
}

words! {
    /// The shape of a relation.
    pub enum RelationType {
        /// A row here, many there.
        OneToMany = "one_to_many",
    }
}

table! {
    /// Rows of another entity of this plugin that name a row of this one.
    pub struct Relation {
        /// Its name.
        name: Spanned<String>,
        /// Its shape.
        r#type: RelationType = RelationType::OneToMany,
        /// The entity of the other rows.
        target_entity: Spanned<EntityName>,
        /// Their `ref` field that names a row of this entity.
        foreign_key: Spanned<FieldName>,
        /// What happens to them when the row goes.
        on_delete: OnDelete = OnDelete::Restrict,
    }
}

table! {
    /// An index over several fields.
    pub struct Index {
        /// Its name.
        name: Spanned<FieldName>,
        /// Its fields, in order.
        fields: Vec<Spanned<FieldName>>,
        /// True where no two live rows of a tenant have the same values.
        unique: bool = false,
    }
}

words! {
    /// When a sequence starts again.
    pub enum ResetRule {
        /// Never.
        Never = "never",
        /// Each day.
        Daily = "daily",
        /// Each month.
        Monthly = "monthly",
        /// Each year.
        Yearly = "yearly",
    }
}

table! {
    /// A rule that makes numbers. Numbers of a tenant have no gaps: a call that fails gives its number back.
    pub struct NumberingRule {
        /// Its name.
        name: Spanned<String>,
        /// The entity whose rows it numbers.
        entity: Spanned<EntityName>,
        /// What `{prefix}` stands for.
        prefix: String = String::new(),
        /// Text with `{prefix}`, `{YYYY}`, `{YY}`, `{MM}`, `{DD}` and `{seq}`.
        format: Spanned<String> = Spanned::new("{prefix}{seq}".to_owned(), 0..0),
        /// Digits of `{seq}`, filled with zeros.
        seq_length: u32 = 4,
        /// The first number.
        start: u64 = 1,
        /// When it starts again.
        reset_rule: ResetRule = ResetRule::Never,
    }
}

table! {
    /// Values that an administrator sets per tenant.
    pub struct Settings {
        /// The values.
        fields: Vec<SettingField>,
    }
}

words! {
    /// What a setting holds.
    pub enum SettingType {
        /// Text.
        Text = "text",
        /// A number.
        Number = "number",
        /// true or false.
        Boolean = "boolean",
        /// One of the options.
        Select = "select",
    }
}

table! {
    /// A value that an administrator sets per tenant.
    pub struct SettingField {
        /// The name that the plugin asks for it by.
        key: Spanned<FieldName>,
        /// What it holds.
        setting_type: SettingType,
        /// The name that people read.
        label: String,
        /// What it does.
        description: Option<String>,
        /// Its value until someone sets it.
        default: Option<Spanned<Value>>,
        /// The values of a `select`.
        options: Vec<FieldOption>,
    }
}

table! {
    /// Events that the plugin hears and tells.
    pub struct Events {
        /// Events that it hears: exact names, `a.*` or `*`.
        subscribe: Vec<Spanned<String>>,
        /// Events that it tells.
        publishes: Vec<PublishedEvent>,
    }
}

table! {
    /// An event that the plugin tells.
    pub struct PublishedEvent {
        /// Its name, words joined by dots.
        r#type: Spanned<String>,
        /// Its payload: each key with the field type of its value.
        payload: std::collections::BTreeMap<String, Spanned<String>>,
        /// When it is told.
        description: Option<String>,
    }
}

table! {
    /// Pages and actions.
    pub struct Ui {
        /// The pages, in the order of the menu.
        pages: Vec<Page>,
        /// Buttons that call the plugin.
        actions: Vec<Action>,
    }
}

words! {
    /// What a page shows.
    pub enum PageType {
        /// A list of rows with a form.
        Crud = "crud",
        /// A file of the plugin, in a sandboxed frame.
        Custom = "custom",
    }
}

table! {
    /// A page.
    pub struct Page {
        /// What it shows.
        r#type: Spanned<PageType>,
        /// Its name in URLs and tests; the entity's name where it is absent.
        name: Option<Spanned<String>>,
        /// The name that people read.
        label: String,
        /// The entity of a `crud` page.
        entity: Option<Spanned<EntityName>>,
        /// The name of an icon.
        icon: Option<String>,
        /// The group of the menu that it stands in.
        menu_group: Option<String>,
        /// The permission that a user needs; `entity.list` for a `crud` page where it is absent.
        permission: Option<Spanned<String>>,
        /// True where it has a search box.
        enable_search: Option<Spanned<bool>>,
        /// The columns of the list; all fields where it is empty.
        columns: Vec<Spanned<FieldName>>,
        /// The fields that the list can be filtered by.
        filters: Vec<Spanned<FieldName>>,
        /// The file of a `custom` page, relative to the manifest.
        file: Option<Spanned<String>>,
    }
}

table! {
    /// A button that calls the plugin's `actions` export.
    pub struct Action {
        /// The name that the plugin is called with.
        name: Spanned<FieldName>,
        /// The name that people read.
        label: String,
        /// The entity of the row that it acts on.
        entity: Spanned<EntityName>,
        /// The permission that a user needs.
        permission: Spanned<String>,
    }
}

table! {
    /// Labels in several languages. The manifest's own texts are those of the first one.
    pub struct I18n {
        /// The language of the texts in the manifest.
        default_locale: String = "zh-CN".to_owned(),
        /// Further languages; each has a file `<locale>.toml` in `dir`.
        locales: Vec<Spanned<String>>,
        /// The folder of those files, relative to the manifest.
        dir: String = "i18n".to_owned(),
    }
}

table! {
    /// Bounds that `build` and `check` hold the plugin to.
    pub struct Budget {
        /// The greatest size of the component.
        wasm: Spanned<ByteSize> = Spanned::new(ByteSize(2 << 20), 0..0),
    }
}

impl Manifest {
    /// The entity of this name.
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.schema.entities.iter().find(|entity| entity.name.as_str() == name)
    }

    /// The permission of this code.
    pub fn permission(&self, code: &str) -> Option<&Permission> {
        self.permissions.iter().find(|permission| permission.code.as_str() == code)
    }

    /// The numbering rule of this name.
    pub fn numbering_rule(&self, name: &str) -> Option<&NumberingRule> {
        self.numbering.iter().find(|rule| rule.name.as_str() == name)
    }
}

impl Entity {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }
}

impl Field {
    /// True where the store keeps a column of its own for the field, so that it can be indexed.
    pub fn has_column(&self) -> bool {
        self.searchable || self.filterable || self.sortable || self.unique || self.field_type.is_reference()
    }

    /// The name that people read.
    pub fn label(&self) -> &str {
        self.display_name.as_deref().unwrap_or(self.name.as_str())
    }
}

impl Page {
    /// The page's name in URLs and tests.
    pub fn route(&self) -> &str {
        match (&self.name, &self.entity) {
            (Some(name), _) => name,
            (None, Some(entity)) => entity.as_str(),
            (None, None) => self.label.as_str(),
        }
    }
}
