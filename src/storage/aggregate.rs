//! Aggregate queries: how rows are grouped, and what is computed for each group.

use erp_manifest::document::{did_you_mean, words};
use serde_json::{Map, Value};

use super::{ListQuery, StoreError};

/// A query that groups rows and computes metrics for each group.
#[derive(Debug, Clone, Default)]
pub struct AggregateQuery {
    /// The keys to group by; empty for one group of all rows.
    pub group_by: Vec<Grouping>,
    /// The numbers to compute for each group.
    pub metrics: Vec<Metric>,
    /// The rows to group, by filter and search, and whether the plugin's own code asks.
    pub rows: ListQuery,
}

words! {
    /// A stretch of time.
    pub enum Period {
        /// `2026`.
        Year = "year",
        /// `2026-04`.
        Month = "month",
        /// `2026-04-15`.
        Day = "day",
        /// `2026-04-15T08`, in UTC.
        Hour = "hour",
    }
}

impl Period {
    /// The number of leading characters of an RFC 3339 moment that name the period.
    pub fn characters(self) -> usize {
        match self {
            Period::Year => 4,
            Period::Month => 7,
            Period::Day => 10,
            Period::Hour => 13,
        }
    }
}

/// A key to group by: the values of a field, or the periods that they lie in.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// The field.
    pub field: String,
    /// The period; only for a field that holds a day or a moment.
    pub per: Option<Period>,
}

impl Grouping {
    fn from_json(value: &Value) -> Option<Grouping> {
        if let Some(field) = value.as_str() {
            return Some(Grouping { field: field.to_owned(), per: None });
        }
        only(value, &["field", "per"]).ok()?;
        let per = value.get("per").map(|per| Period::from_word(per.as_str()?));
        Some(Grouping { field: value["field"].as_str()?.to_owned(), per: per.map_or(Some(None), |per| per.map(Some))? })
    }
}

/// A number that is computed for each group.
#[derive(Debug, Clone)]
pub struct Metric {
    /// `count`, `sum`, `avg`, `min` or `max`.
    pub function: String,
    /// The field; none for `count`.
    pub field: Option<String>,
    /// The key of the number in the result.
    pub name: String,
}

impl AggregateQuery {
    /// Reads `{"group_by", "metrics": [{"func", "field", "as"}], "filter"}`; also accepts the platform's own key
    /// `aggregations`, and a single text for `group_by`. Without metrics, it counts rows.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`].
    pub fn from_json(value: &Value, by_plugin: bool) -> Result<AggregateQuery, StoreError> {
        let bad = |message: &str| StoreError::BadQuery(message.to_owned());
        only(value, &["group_by", "metrics", "aggregations", "filter"])?;
        let no_group = "`group_by` takes names of fields, or {\"field\": \"ordered_on\", \"per\": \"month\"} with year, month, day or hour";
        let group_by = match &value["group_by"] {
            Value::Null => Vec::new(),
            Value::Array(fields) => {
                fields.iter().map(Grouping::from_json).collect::<Option<_>>().ok_or_else(|| bad(no_group))?
            }
            field => vec![Grouping::from_json(field).ok_or_else(|| bad(no_group))?],
        };
        let metrics = match value.get("metrics").or_else(|| value.get("aggregations")) {
            None => vec![Metric { function: "count".to_owned(), field: None, name: "count".to_owned() }],
            Some(Value::Array(metrics)) => metrics
                .iter()
                .map(|metric| {
                    only(metric, &["func", "field", "as"]).ok()?;
                    let function = metric["func"].as_str()?.to_owned();
                    let field = metric["field"].as_str().map(str::to_owned);
                    let name = metric["as"].as_str().map_or_else(
                        || field.as_ref().map_or(function.clone(), |field| format!("{function}_{field}")),
                        str::to_owned,
                    );
                    Some(Metric { function, field, name })
                })
                .collect::<Option<_>>()
                .ok_or_else(|| bad("a metric is {\"func\": \"sum\", \"field\": \"qty\", \"as\": \"total\"}"))?,
            Some(_) => return Err(bad("`metrics` takes an array")),
        };
        Ok(AggregateQuery {
            group_by,
            metrics,
            rows: ListQuery { filter: value["filter"].clone(), by_plugin, ..ListQuery::default() },
        })
    }
}

/// Rejects unknown keys: a misspelled filter must not return all rows.
fn only(value: &Value, known: &[&str]) -> Result<(), StoreError> {
    let unknown = value.as_object().into_iter().flat_map(Map::keys).find(|key| !known.contains(&key.as_str()));
    match unknown {
        None => Ok(()),
        Some(key) => {
            let help = did_you_mean(key, known.iter().copied()).unwrap_or_default();
            Err(StoreError::BadQuery(format!("unknown key `{key}`; {help}")))
        }
    }
}
