//! Reads the `CREATE TABLE` statements of a dump of PostgreSQL, MySQL, SQLite or SQL Server. It skips other statements,
//! and the parts of a column that a manifest cannot express.

/// A table.
#[derive(Debug, Default)]
pub(super) struct SqlTable {
    /// The name without its schema.
    pub(super) name: String,
    pub(super) columns: Vec<SqlColumn>,
    /// Columns that are unique together.
    pub(super) unique: Vec<Vec<String>>,
    /// Columns, and the table whose row they reference.
    pub(super) foreign_keys: Vec<(Vec<String>, String)>,
}

/// A column of a table.
#[derive(Debug, Default)]
pub(super) struct SqlColumn {
    pub(super) name: String,
    pub(super) of_type: SqlType,
    pub(super) is_required: bool,
    pub(super) is_unique: bool,
    pub(super) comment: Option<String>,
    pub(super) references: Option<String>,
}

/// A type of a column.
#[derive(Debug, Default)]
pub(super) enum SqlType {
    /// No type, which SQLite allows.
    #[default]
    None,
    /// A type in lower case, such as `numeric(12,2)`.
    Named(String),
    /// One of these values.
    Enum(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
enum SqlToken {
    /// A word or a number without quotes.
    Word(String),
    /// A name in quotes or square brackets.
    Name(String),
    /// A string.
    Text(String),
    Symbol(char),
}

/// A token with its line, counted from 1.
type Placed = (SqlToken, usize);

/// Words that begin a constraint of a table instead of a column, unless they are quoted.
const CONSTRAINTS: [&str; 10] =
    ["constraint", "primary", "unique", "foreign", "check", "key", "index", "fulltext", "spatial", "exclude"];
/// Words that may follow the type of a column.
const OPTIONS: [&str; 24] = [
    "not",
    "null",
    "default",
    "primary",
    "unique",
    "references",
    "check",
    "comment",
    "constraint",
    "collate",
    "generated",
    "auto_increment",
    "autoincrement",
    "identity",
    "on",
    "as",
    "charset",
    "character",
    "key",
    "stored",
    "virtual",
    "unsigned",
    "zerofill",
    "encode",
];

/// Returns the tables of a text, in its order.
///
/// # Errors
/// The line, and what is wrong there.
pub(super) fn tables(text: &str) -> Result<Vec<SqlTable>, String> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0 };
    let mut found = Vec::new();
    while reader.peek().is_some() {
        if reader.takes_create_table() {
            found.extend(reader.table()?);
        }
        reader.pass_statement();
    }
    Ok(found)
}

fn tokens(text: &str) -> Result<Vec<Placed>, String> {
    let (mut tokens, mut line) = (Vec::new(), 1);
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some(first) = rest.chars().next() {
        let began = line;
        let (token, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("--") || first == '#' {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").ok_or_else(|| format!("line {began}: a comment that does not end"))?;
            (None, end + 2)
        } else if let Some(tag) = dollar_tag(rest) {
            let end = rest[tag.len()..].find(tag).ok_or_else(|| format!("line {began}: a text that does not end"))?;
            (Some(SqlToken::Text(rest[tag.len()..tag.len() + end].to_owned())), end + 2 * tag.len())
        } else if let '\'' | '"' | '`' | '[' = first {
            let closing = if first == '[' { ']' } else { first };
            let (inside, length) =
                quoted(rest, closing).ok_or_else(|| format!("line {began}: {first} that is not closed"))?;
            // Square brackets after a type mark an array, and contain a number or nothing.
            let is_list = first == '[' && inside.bytes().all(|byte| byte.is_ascii_digit());
            let token = match first {
                '\'' => SqlToken::Text(inside),
                '[' if is_list => SqlToken::Word(format!("[{inside}]")),
                _ => SqlToken::Name(inside),
            };
            (Some(token), length)
        } else if is_word(first) {
            let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            (Some(SqlToken::Word(rest[..end].to_owned())), end)
        } else {
            (Some(SqlToken::Symbol(first)), first.len_utf8())
        };
        line += rest[..length].matches('\n').count();
        tokens.extend(token.map(|token| (token, began)));
        rest = &rest[length..];
    }
    Ok(tokens)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// `$$` or `$tag$`, which begins a string of PostgreSQL.
fn dollar_tag(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('$')?;
    let end = inside.find('$')?;
    inside[..end].chars().all(|letter| letter.is_alphabetic() || letter == '_').then(|| &text[..end + 2])
}

/// The text between quotes, and its length in bytes with them. A doubled quote, or one after a backslash in a string,
/// does not close it.
fn quoted(text: &str, closing: char) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == closing {
            if letters.peek().is_some_and(|(_, next)| *next == closing && closing != ']') {
                letters.next();
            } else {
                return Some((inside, at + letter.len_utf8()));
            }
        } else if letter == '\\' && closing == '\'' {
            let Some((_, next)) = letters.next() else { continue };
            inside.push(next);
            continue;
        }
        inside.push(letter);
    }
    None
}

struct Reader<'t> {
    tokens: &'t [Placed],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&SqlToken> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<SqlToken> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn is_at(&self, words: &[&str]) -> bool {
        matches!(self.peek(), Some(SqlToken::Word(word)) if words.iter().any(|one| word.eq_ignore_ascii_case(one)))
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_there = self.is_at(&[word]);
        self.at += usize::from(is_there);
        is_there
    }

    fn takes_symbol(&mut self, symbol: char) -> bool {
        let is_there = self.peek() == Some(&SqlToken::Symbol(symbol));
        self.at += usize::from(is_there);
        is_there
    }

    fn wrong(&self, wanted: &str) -> String {
        let last = self.tokens.get(self.at).or(self.tokens.last());
        let found = match self.peek() {
            None => "the end of the file".to_owned(),
            Some(SqlToken::Word(word)) => format!("`{word}`"),
            Some(SqlToken::Name(name)) => format!("\"{name}\""),
            Some(SqlToken::Text(_)) => "a text".to_owned(),
            Some(SqlToken::Symbol(symbol)) => format!("`{symbol}`"),
        };
        format!("line {}: {wanted} is missing; there is {found}", last.map_or(1, |(_, line)| *line))
    }

    /// Passes `CREATE [GLOBAL|LOCAL] [TEMPORARY|UNLOGGED] TABLE [IF NOT EXISTS]`; false where another statement
    /// follows.
    fn takes_create_table(&mut self) -> bool {
        let began = self.at;
        if self.takes("create") {
            while self.is_at(&["global", "local", "temporary", "temp", "unlogged", "foreign", "or", "replace"]) {
                self.at += 1;
            }
            if self.takes("table") {
                if self.takes("if") {
                    self.at += 2;
                }
                return true;
            }
        }
        self.at = began;
        false
    }

    /// Skips to the end of the statement.
    fn pass_statement(&mut self) {
        while self.next().is_some_and(|token| token != SqlToken::Symbol(';')) {}
    }

    /// Reads a name; of several that are joined by points, the last one.
    fn name(&mut self, wanted: &str) -> Result<String, String> {
        let mut name = self.plain_name(wanted)?;
        while self.takes_symbol('.') {
            name = self.plain_name(wanted)?;
        }
        Ok(name)
    }

    fn plain_name(&mut self, wanted: &str) -> Result<String, String> {
        match self.peek() {
            Some(SqlToken::Word(name) | SqlToken::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.wrong(wanted)),
        }
    }

    /// Reads a table; none for one that is created from a query or from another table.
    fn table(&mut self) -> Result<Option<SqlTable>, String> {
        let mut table = SqlTable { name: self.name("the name of a table")?, ..SqlTable::default() };
        if !self.takes_symbol('(') {
            return if self.is_at(&["as", "like", "partition", "inherits", "of"]) {
                Ok(None)
            } else {
                Err(self.wrong(&format!("`(` behind `{}`", table.name)))
            };
        }
        loop {
            if self.is_at(&CONSTRAINTS) && !self.is_column_of_this_name() {
                self.constraint(&mut table)?;
            } else if self.takes("like") {
                self.pass_item();
            } else {
                let column = self.column()?;
                table.columns.push(column);
            }
            if self.takes_symbol(')') {
                return Ok(Some(table));
            }
            if !self.takes_symbol(',') {
                return Err(self.wrong(&format!("`,` or `)` in `{}`", table.name)));
            }
        }
    }

    /// Whether a word that could begin a constraint is the name of a column: `key text`, but not `key (a)` or `key name
    /// (a)`.
    fn is_column_of_this_name(&self) -> bool {
        let after = |count: usize| self.tokens.get(self.at + count).map(|(token, _)| token);
        let is_key_or_index = self.is_at(&["key", "index"]);
        let is_followed = matches!(after(1), Some(SqlToken::Word(_)));
        is_key_or_index && is_followed && after(2) != Some(&SqlToken::Symbol('('))
    }

    /// Skips the rest of an item.
    fn pass_item(&mut self) {
        let mut depth = 0;
        while let Some(token) = self.peek() {
            match token {
                SqlToken::Symbol('(') => depth += 1,
                SqlToken::Symbol(')' | ',') if depth == 0 => return,
                SqlToken::Symbol(')') => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Reads names between parentheses; anything after a name is skipped.
    fn columns(&mut self) -> Result<Vec<String>, String> {
        if !self.takes_symbol('(') {
            return Err(self.wrong("`(` before names of columns"));
        }
        let mut names = Vec::new();
        loop {
            names.push(self.plain_name("the name of a column")?);
            self.pass_item();
            if self.takes_symbol(')') {
                return Ok(names);
            }
            if !self.takes_symbol(',') {
                return Err(self.wrong("`,` or `)` behind the name of a column"));
            }
        }
    }

    fn constraint(&mut self, table: &mut SqlTable) -> Result<(), String> {
        if self.takes("constraint") {
            self.plain_name("the name of a constraint")?;
        }
        if self.takes("unique") {
            while !matches!(self.peek(), None | Some(SqlToken::Symbol(_))) {
                self.at += 1;
            }
            let columns = self.columns()?;
            table.unique.push(columns);
        } else if self.takes("foreign") {
            while !matches!(self.peek(), None | Some(SqlToken::Symbol(_))) {
                self.at += 1;
            }
            let columns = self.columns()?;
            if self.takes("references") {
                let target = self.name("the name of a table")?;
                table.foreign_keys.push((columns, target));
            }
        }
        self.pass_item();
        Ok(())
    }

    fn column(&mut self) -> Result<SqlColumn, String> {
        let mut column = SqlColumn { name: self.plain_name("the name of a column")?, ..SqlColumn::default() };
        column.of_type = self.column_type()?;
        let mut depth = 0;
        while let Some(token) = self.peek() {
            match token {
                SqlToken::Symbol('(') => depth += 1,
                SqlToken::Symbol(')' | ',') if depth == 0 => break,
                SqlToken::Symbol(';') => return Err(self.wrong(&format!("`,` or `)` behind `{}`", column.name))),
                SqlToken::Symbol(')') => depth -= 1,
                SqlToken::Word(_) if depth == 0 => {
                    self.option(&mut column)?;
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        Ok(column)
    }

    fn option(&mut self, column: &mut SqlColumn) -> Result<(), String> {
        if self.takes("not") {
            column.is_required |= self.takes("null");
        } else if self.takes("unique") {
            column.is_unique = true;
            self.takes("key");
        } else if self.takes("primary") {
            (column.is_required, column.is_unique) = (true, true);
            self.takes("key");
        } else if self.takes("comment") {
            if let Some(SqlToken::Text(text)) = self.peek() {
                column.comment = Some(text.clone());
                self.at += 1;
            }
        } else if self.takes("references") {
            column.references = Some(self.name("the name of a table")?);
        } else {
            self.at += 1;
        }
        Ok(())
    }

    fn column_type(&mut self) -> Result<SqlType, String> {
        if self.takes("enum") {
            return self.options_of_enum();
        }
        let mut text = String::new();
        while !self.is_at(&OPTIONS) || text.is_empty() && self.is_at(&["character"]) {
            match self.peek() {
                Some(SqlToken::Word(word) | SqlToken::Name(word)) => {
                    if !text.is_empty() && !word.starts_with('[') {
                        text.push(' ');
                    }
                    text.push_str(&word.to_ascii_lowercase());
                }
                Some(SqlToken::Symbol('.')) => text.clear(),
                Some(SqlToken::Symbol('(')) => {
                    text.push_str(&self.between_brackets()?);
                    continue;
                }
                _ => break,
            }
            self.at += 1;
        }
        Ok(if text.is_empty() { SqlType::None } else { SqlType::Named(text) })
    }

    /// Reads the parentheses after a type, such as `(12,2)`.
    fn between_brackets(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let token = self.peek().cloned();
            match &token {
                Some(SqlToken::Word(word) | SqlToken::Name(word) | SqlToken::Text(word)) => text.push_str(word),
                Some(SqlToken::Symbol(symbol)) => text.push(*symbol),
                None => return Err(self.wrong("`)` behind the type of a column")),
            }
            self.at += 1;
            if token == Some(SqlToken::Symbol(')')) {
                return Ok(text.to_ascii_lowercase());
            }
        }
    }

    fn options_of_enum(&mut self) -> Result<SqlType, String> {
        let mut options = Vec::new();
        if !self.takes_symbol('(') {
            return Err(self.wrong("`(` behind `enum`"));
        }
        loop {
            match self.next() {
                Some(SqlToken::Text(option)) => options.push(option),
                Some(SqlToken::Symbol(',')) => {}
                Some(SqlToken::Symbol(')')) => return Ok(SqlType::Enum(options)),
                _ => {
                    self.at -= 1;
                    return Err(self.wrong("a text in `enum`"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dumps_of_four_databases_have_in_common_is_read() {
        let text = r#"
-- of PostgreSQL
SET search_path = public;
CREATE FUNCTION f() RETURNS int AS $body$ create table no (x int); $body$ LANGUAGE sql;
CREATE TABLE IF NOT EXISTS public."order" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code character varying(20) NOT NULL UNIQUE,
    total numeric(12, 2) DEFAULT (0 + 1) CHECK (total >= 0),
    tags text[] NOT NULL,
    at timestamp with time zone,
    customer uuid REFERENCES public.customer (id) ON DELETE CASCADE,
    CONSTRAINT once UNIQUE (code, at),
    EXCLUDE USING gist (at WITH &&)
);
CREATE TABLE copied AS SELECT 1;
/* of MySQL */
CREATE TABLE `item` (
  `key` varchar(10) NOT NULL COMMENT '编码, it''s \'one\'',
  kind ENUM('a','b;') DEFAULT 'a',
  is_on tinyint(1) unsigned NOT NULL,
  order_id int,
  UNIQUE KEY `by_key` (`key`(8)),
  KEY by_kind (kind),
  CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES `order`(id)
) ENGINE=InnoDB COMMENT='items';
create table [dbo].[Line] ([Id] int identity(1,1), [Price] money, index text)
"#;
        let tables = tables(text).unwrap();
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["order", "item", "Line"]);
        let types: Vec<String> = tables[0].columns.iter().map(|column| format!("{:?}", column.of_type)).collect();
        assert_eq!(
            types,
            [
                r#"Named("uuid")"#,
                r#"Named("character varying(20)")"#,
                r#"Named("numeric(12,2)")"#,
                r#"Named("text[]")"#,
                r#"Named("timestamp with time zone")"#,
                r#"Named("uuid")"#
            ]
        );
        let [id, code, total, ..] = &tables[0].columns[..] else { panic!("{tables:?}") };
        assert!(id.is_required && id.is_unique && code.is_required && code.is_unique && !total.is_required);
        assert_eq!(tables[0].columns[5].references.as_deref(), Some("customer"));
        assert_eq!(tables[0].unique, [["code", "at"]]);
        let item = &tables[1];
        assert_eq!(item.columns[0].comment.as_deref(), Some("编码, it's 'one'"));
        assert!(matches!(&item.columns[1].of_type, SqlType::Enum(options) if options == &["a", "b;"]));
        assert!(item.columns[2].is_required);
        assert_eq!((item.unique.len(), item.columns.len()), (1, 4));
        assert_eq!(item.foreign_keys, [(vec!["order_id".to_owned()], "order".to_owned())]);
        let line: Vec<&str> = tables[2].columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(line, ["Id", "Price", "index"]);
    }

    #[test]
    fn what_is_broken_is_said_with_its_line() {
        for (text, said) in [
            ("create table a (x int\n", "line 1: `,` or `)` in `a` is missing; there is the end of the file"),
            ("\ncreate table a (x int, 'y' int)", "line 2: the name of a column is missing; there is a text"),
            ("create table a", "line 1: `(` behind `a` is missing; there is the end of the file"),
            ("select 'x", "line 1: ' that is not closed"),
            ("/* x", "line 1: a comment that does not end"),
            (
                "create table a (x int; create table b (y int);",
                "line 1: `,` or `)` behind `x` is missing; there is `;`",
            ),
        ] {
            assert_eq!(tables(text).unwrap_err(), said);
        }
        assert!(tables("").unwrap().is_empty());
    }
}
