//! Migrations of stored rows from one schema version to the next, and fixtures.

use serde_json::Value;

use super::super::{EntityName, FieldName};
use crate::diagnostics::Spanned;
use crate::document::{table, words};
use crate::expression::Expression;

words! {
    /// When the steps of a migration run.
    pub enum MigrationPhase {
        /// Before the tables are those of the new version: steps see the fields of both.
        Pre = "pre",
        /// Once the tables are those of the new version.
        Post = "post",
        /// Once the rows of `[[fixtures]]` are there too.
        AfterFixtures = "after_fixtures",
    }
}

words! {
    /// What a step does.
    pub enum StepKind {
        /// The entity `entity` has been called `from` until now.
        RenameEntity = "rename_entity",
        /// The field `field` has been called `from` until now.
        RenameField = "rename_field",
        /// The values of `field` take the type that the field has now.
        ChangeType = "change_type",
        /// The text of `from` becomes that of the fields `into`, cut at `separator`.
        Split = "split",
        /// The texts of the fields `fields` become that of `field`, joined by `separator`.
        Merge = "merge",
        /// `field` becomes what the expression `value` gives.
        Backfill = "backfill",
        /// The entity `entity` goes, with its rows.
        DropEntity = "drop_entity",
        /// The field `field` goes, with its values.
        DropField = "drop_field",
    }
}

words! {
    /// What becomes of a value that the new type does not hold.
    pub enum Otherwise {
        /// The upgrade is refused, and the rows are named.
        Refuse = "refuse",
        /// The value goes.
        Clear = "clear",
        /// The value of `default` takes its place.
        Default = "default",
    }
}

table! {
    /// Steps by which the rows of one schema version become rows of the next. All versions between what a tenant has
    /// and what comes are gone through, each upgrade in one transaction.
    pub struct Migration {
        /// The schema version that the rows have.
        from: Spanned<u64>,
        /// The schema version that they have afterwards.
        to: Spanned<u64>,
        /// When its steps run.
        phase: MigrationPhase = MigrationPhase::Pre,
        /// The steps, in order.
        steps: Vec<MigrationStep>,
        /// An action of the plugin's own code that is called for each tenant once all steps are done, with
        /// `{ from, to }`, in the same transaction.
        handler: Option<Spanned<String>>,
        /// False where the old values are not kept for `migrate rollback`.
        reversible: bool = true,
    }
}

table! {
    /// A step of a migration.
    pub struct MigrationStep {
        /// What it does.
        r#do: Spanned<StepKind>,
        /// The entity, by the name that it has then.
        entity: Spanned<EntityName>,
        /// The field that the step makes, changes or takes away.
        field: Option<Spanned<FieldName>>,
        /// The name that an entity or a field had, or the field that is cut.
        from: Option<Spanned<FieldName>>,
        /// The fields that a `split` fills, in order; the last one gets all that is left.
        into: Vec<Spanned<FieldName>>,
        /// The fields that a `merge` joins, in order; those without a value are left out.
        fields: Vec<Spanned<FieldName>>,
        /// Where to cut, or what to join by.
        separator: String = " ".to_owned(),
        /// What a `backfill` writes, or a `change_type` makes of the value: computed from the row as it is before the
        /// step, where the field's own name is its old value.
        value: Option<Expression>,
        /// The rows that a `backfill` writes; all that have no value if it is absent.
        when: Option<Expression>,
        /// What becomes of values that a `change_type` cannot bring into the new type.
        otherwise: Otherwise = Otherwise::Refuse,
    }
}

words! {
    /// How rows of a fixture meet those that are there.
    pub enum FixtureMode {
        /// They come once, with the first version that has them; users may change and delete them.
        Once = "once",
        /// A row with the same key is changed to them, a missing one comes.
        Upsert = "upsert",
        /// A missing row comes; one with the same key stays as it is.
        InsertIgnore = "insert_ignore",
        /// As `upsert`; rows that are not among them go.
        Overwrite = "overwrite",
    }
}

table! {
    /// Rows that come with the plugin, for each tenant.
    pub struct Fixture {
        /// The entity.
        entity: Spanned<EntityName>,
        /// How they meet rows that are there.
        mode: FixtureMode = FixtureMode::Once,
        /// The fields by which a row is known again.
        key: Vec<Spanned<FieldName>>,
        /// A file of the project with the rows: `.csv` with a head line, `.json` with an array, `.toml` with `[[rows]]`.
        file: Option<Spanned<String>>,
        /// The rows themselves.
        rows: Vec<Value>,
    }
}
