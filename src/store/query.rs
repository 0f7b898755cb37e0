//! Lists of rows: filter, search, sort, pages and cursors.

use erp_manifest::contract::{MAX_PAGE_ROWS, PAGE_ROWS};
use erp_storage::{EntityRef, ListQuery, ListedRows, Row, Scope, StoreError};
use sea_query::{Alias, Cond, Condition, Expr, ExprTrait, Order, Query, SelectStatement};
use serde_json::Value;

use super::lookup::RowReader;
use super::ordering::{ListRange, Ordering};
use super::records::{MemoryBudget, ROW_COLUMNS, read_row, row_columns};
use super::sql::{Cell, Dialect};

impl RowReader<'_> {
    /// Lists the rows of all pages; stops after the page that exceeds `most` rows.
    ///
    /// # Errors
    /// As [`RowReader::list`].
    pub fn list_all(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        query: ListQuery,
        most: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut query = ListQuery { limit: Some(MAX_PAGE_ROWS), ..query };
        let mut found = Vec::new();
        loop {
            let page = self.list(entity, scope, &query)?;
            found.extend(page.rows);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() || found.len() > most {
                return Ok(found);
            }
        }
    }

    /// A page of rows.
    ///
    /// # Errors
    /// [`StoreError::UnknownField`], [`StoreError::BadQuery`], [`StoreError::Database`].
    pub fn list(&self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<ListedRows, StoreError> {
        let dialect = self.database.dialect();
        let matching = self.matching(entity, scope, query)?;
        let order = Ordering::of(dialect, entity, query)?;
        let limit = query.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);

        let mut select = Query::select();
        select.from(Alias::new(entity.table())).cond_where(matching.clone()).offset(query.offset);
        for column in row_columns(dialect) {
            select.expr(Expr::cust(column));
        }
        for (index, key) in order.keys.iter().enumerate() {
            let shown = Expr::cust(dialect.shown(&key.operand.sql, key.operand.shape));
            select.expr_as(shown, Alias::new(format!("_sort_{index}")));
        }
        let parts = match &query.cursor {
            Some(_) if query.offset > 0 => {
                return Err(StoreError::BadQuery(
                    "a list goes on from a cursor or from a page, not from both".to_owned(),
                ));
            }
            Some(cursor) => order.after(cursor, &query.sort)?,
            None => vec![ListRange { condition: Cond::all(), pinned: 0 }],
        };
        let hits_first = self.is_found_first(entity, query, &matching)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut found, mut held) = (Vec::<Row>::new(), MemoryBudget::default());
        // One row more than wanted shows that there are more; the sort keys of the last wanted row become the cursor.
        let (mut has_more, mut last) = (false, Vec::<Value>::new());
        for part in parts {
            if has_more {
                break;
            }
            let missing = (limit.saturating_add(1) - found.len()) as u64;
            let mut select = select.clone();
            if hits_first {
                // Ordered by an expression: by a column, PostgreSQL would read the rows in that order after all.
                let hits = Query::select()
                    .from(Alias::new(entity.table()))
                    .expr(Expr::cust("id"))
                    .cond_where(matching.clone())
                    .cond_where(part.condition.clone())
                    .order_by_expr(Expr::cust("id || ''"), Order::Asc)
                    .limit(missing)
                    .take();
                select.and_where(Expr::col(Alias::new("id")).in_subquery(hits));
            }
            let pinned = if dialect == Dialect::Sqlite { part.pinned } else { 0 };
            order.keys.iter().skip(pinned).for_each(|key| key.order(&mut select));
            self.database.select("list rows", select.cond_where(part.condition).limit(missing), |row| {
                if found.len() == limit {
                    has_more = true;
                    return Ok(());
                }
                held.add(row)?;
                found.push(read_row(entity, row)?);
                if found.len() == limit {
                    let keys = (0..order.keys.len()).map(|key| row.cell(ROW_COLUMNS + key).map(Cell::to_json));
                    last = keys.collect::<Result<Vec<_>, _>>()?;
                }
                Ok(())
            })?;
        }
        let next_cursor = has_more.then(|| Ordering::cursor(&query.sort, &last));
        for row in &found {
            self.database.note_seen(entity, row);
        }
        let total = if query.with_total { Some(self.count_where(entity, matching)?) } else { None };
        Ok(ListedRows { rows: found, next_cursor, total })
    }

    /// How many rows match.
    ///
    /// # Errors
    /// As [`RowReader::list`].
    pub fn count(&self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError> {
        self.count_where(entity, self.matching(entity, scope, query)?)
    }

    fn count_where(&self, entity: &EntityRef, matching: Condition) -> Result<u64, StoreError> {
        let mut select: SelectStatement = Query::select();
        select.from(Alias::new(entity.table())).expr(Expr::cust("count(*)")).cond_where(matching);
        let counts = self.database.select("count rows", &select, |row| row.get::<i64>(0))?;
        Ok(counts.first().map_or(0, |count| count.unsigned_abs()))
    }
}
