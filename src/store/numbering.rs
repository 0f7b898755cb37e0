//! Numbers by a manifest's rules. A number is taken inside the unit of work, so that a unit that fails gives it back
//! and leaves no gap. If the rule allows gaps, the number stays taken.

use erp_manifest::{Manifest, Moment, NumberingRule, PluginId, ResetRule};
use erp_storage::{Scope, StoreError};

use super::Database;
use super::sql::SqlValue;

/// Sets the next number of a sequence, and never lowers it.
pub(super) const TAKE_NUMBER: &str = "insert into erp_numbers (plugin_id, tenant_id, rule, period, next) values (?, ?, ?, ?, ?) \
     on conflict (plugin_id, tenant_id, rule, period) do update set next = \
     case when erp_numbers.next > excluded.next then erp_numbers.next else excluded.next end";

/// Numbers of sequences, by the rules of manifests.
#[derive(Debug)]
pub struct Numbers<'d> {
    pub(crate) database: &'d mut Database,
}

impl Numbers<'_> {
    /// Takes the next number of a rule.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumbering`], [`StoreError::NumberingExhausted`], [`StoreError::Database`].
    pub fn next_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError> {
        self.database.lock_alone(&["number", manifest.metadata.id.as_str(), scope.tenant.as_str(), rule])?;
        let (rule, sequence) = self.peek_sequence(manifest, rule, scope)?;
        let number = format_number(rule, sequence, scope.now)?;
        let mut parameters = key(manifest, rule, scope);
        parameters.push(SqlValue::Integer(sequence.cast_signed() + 1));
        self.database.execute("take a number", TAKE_NUMBER, &parameters)?;
        if !rule.gapless {
            self.database.keep_after_rollback(TAKE_NUMBER, parameters);
        }
        Ok(number)
    }

    /// The number that [`Numbers::next_number`] would return now.
    ///
    /// # Errors
    /// As [`Numbers::next_number`].
    pub fn peek_number(&self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError> {
        let (rule, sequence) = self.peek_sequence(manifest, rule, scope)?;
        format_number(rule, sequence, scope.now)
    }

    /// The sequences of a tenant: rule, period, next number.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn sequences(&self, plugin: &PluginId, scope: &Scope) -> Result<Vec<(String, String, u64)>, StoreError> {
        self.database.rows(
            "read the numbers",
            "select rule, period, next from erp_numbers where plugin_id = ? and tenant_id = ? order by rule, period",
            [plugin.as_str(), scope.tenant.as_str()].map(SqlValue::text),
            |row| Ok((row.get(0)?, row.get(1)?, row.get::<i64>(2)?.unsigned_abs())),
        )
    }

    fn peek_sequence<'m>(
        &self,
        manifest: &'m Manifest,
        rule: &str,
        scope: &Scope,
    ) -> Result<(&'m NumberingRule, u64), StoreError> {
        let rule = manifest.numbering_rule(rule).ok_or_else(|| StoreError::UnknownNumbering(rule.to_owned()))?;
        let found = self.database.rows(
            "look at a number",
            "select next from erp_numbers where plugin_id = ? and tenant_id = ? and rule = ? and period = ?",
            key(manifest, rule, scope),
            |row| row.get::<i64>(0),
        )?;
        Ok((rule, found.first().map_or(rule.start, |next| next.unsigned_abs())))
    }
}

/// The period of a rule's sequence that a moment lies in; the sequence starts again with each period.
pub fn period_of(rule: &NumberingRule, moment: Moment) -> String {
    match rule.reset_rule {
        ResetRule::Never => String::new(),
        ResetRule::Daily => moment.date(),
        ResetRule::Monthly => moment.date()[..7].to_owned(),
        ResetRule::Yearly => moment.date()[..4].to_owned(),
    }
}

fn key(manifest: &Manifest, rule: &NumberingRule, scope: &Scope) -> Vec<SqlValue> {
    let period = period_of(rule, scope.now);
    [manifest.metadata.id.as_str(), scope.tenant.as_str(), rule.name.as_str(), &period]
        .map(|text| SqlValue::Text(text.to_owned()))
        .to_vec()
}

/// Formats a number of a sequence by its rule.
///
/// # Errors
/// [`StoreError::NumberingExhausted`] if the number has more digits than the rule allows.
pub fn format_number(rule: &NumberingRule, sequence: u64, now: Moment) -> Result<String, StoreError> {
    let digits = rule.seq_length as usize;
    let sequence = format!("{sequence:0digits$}");
    if sequence.len() > digits.max(1) {
        return Err(StoreError::NumberingExhausted(rule.name.to_string()));
    }
    let local = now.local();
    Ok(rule
        .format
        .replace("{prefix}", &rule.prefix)
        .replace("{YYYY}", &local.strftime("%Y").to_string())
        .replace("{YY}", &local.strftime("%y").to_string())
        .replace("{MM}", &local.strftime("%m").to_string())
        .replace("{DD}", &local.strftime("%d").to_string())
        .replace("{seq}", &sequence))
}
