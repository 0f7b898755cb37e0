//! An expression with its place in a manifest.

use serde_json::{Value, json};

use super::evaluate::{Datum, EvaluationError, evaluate};
use super::roll_up::RollUp;
use super::syntax::{Term, TermKind, parse};
use super::types::{ExpressionProblem, FieldKind, Type, check, check_stored, expect};
use crate::codes::codes;
use crate::diagnostics::Span;
use crate::document::{FromToml, Node, Reader};

codes! {
    EXPRESSION_SYNTAX = "expression/syntax", finding(Error), "An expression that cannot be read.",
        why: "The platform would refuse the manifest, or never show, require or compute what the expression decides.",
        fix: "Fix the place that the finding points to. Texts stand in single quotes, fields do not; `docs/expressions.md` lists operators and functions.";
}

/// An expression and its place in the file.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    root: Term,
    span: Span,
    /// The byte offset of its first character; `None` without a file, or if escapes make the text in the file
    /// different.
    start: Option<usize>,
}

impl Expression {
    /// Parses a text that does not come from a file.
    ///
    /// # Errors
    /// The first problem.
    pub fn parse(text: &str) -> Result<Expression, ExpressionProblem> {
        Ok(Expression { text: text.to_owned(), root: parse(text)?, span: 0..0, start: None })
    }

    /// The text of the expression.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The place of the whole value.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// The place of a part of the text in the file; that of the whole value if escapes make the text different.
    pub fn place(&self, part: &Span) -> Span {
        match self.start {
            Some(start) => start + part.start..start + part.end,
            None => self.span.clone(),
        }
    }

    /// Returns the problems of the expression for an entity with these fields. The result must have the type `wanted`.
    pub fn problems(&self, fields: &[FieldKind<'_>], wanted: Type) -> Vec<ExpressionProblem> {
        let mut problems = Vec::new();
        match wanted {
            Type::Any => {
                check(&self.root, fields, &mut problems);
            }
            wanted => expect(&self.root, wanted, fields, &mut problems),
        }
        problems
    }

    /// Returns the problems of the expression for an entity with these fields, if `field` stores the result.
    pub fn stored_problems(&self, fields: &[FieldKind<'_>], field: &FieldKind<'_>) -> Vec<ExpressionProblem> {
        let mut problems = Vec::new();
        check_stored(&self.root, field, fields, &mut problems);
        problems
    }

    /// The fields that it uses, in order and without duplicates.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        collect(&self.root, &mut names);
        names
    }

    /// The roll-ups over child rows in it, in order, with their places in its text.
    pub fn roll_ups(&self) -> Vec<(&RollUp, Span)> {
        let mut found = Vec::new();
        collect_roll_ups(&self.root, &mut found);
        found
    }

    /// Evaluates the expression. `lookup` returns the values of names, and of roll-ups by their text.
    ///
    /// # Errors
    /// [`EvaluationError`], which is about the values and not about the expression.
    pub fn evaluate(&self, lookup: &dyn Fn(&str) -> Datum) -> Result<Datum, EvaluationError> {
        evaluate(&self.root, lookup)
    }
}

fn collect<'t>(term: &'t Term, names: &mut Vec<&'t str>) {
    match &term.kind {
        TermKind::Literal(_) | TermKind::RollUp(_) => {}
        TermKind::Name(name) if name.starts_with('$') || names.contains(&name.as_str()) => {}
        TermKind::Name(name) => names.push(name),
        TermKind::List(terms) | TermKind::Call(_, terms) => terms.iter().for_each(|term| collect(term, names)),
        TermKind::Not(inner) | TermKind::Negative(inner) => collect(inner, names),
        TermKind::Binary(_, left, right) => {
            collect(left, names);
            collect(right, names);
        }
    }
}

fn collect_roll_ups<'t>(term: &'t Term, found: &mut Vec<(&'t RollUp, Span)>) {
    match &term.kind {
        TermKind::Literal(_) | TermKind::Name(_) => {}
        TermKind::RollUp(roll_up) => found.push((roll_up, term.span.clone())),
        TermKind::List(terms) | TermKind::Call(_, terms) => terms.iter().for_each(|term| collect_roll_ups(term, found)),
        TermKind::Not(inner) | TermKind::Negative(inner) => collect_roll_ups(inner, found),
        TermKind::Binary(_, left, right) => {
            collect_roll_ups(left, found);
            collect_roll_ups(right, found);
        }
    }
}

impl FromToml for Expression {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<Expression> {
        let text = String::from_toml(node, reader)?;
        let start = reader.inner_start(node, &text);
        let place = |part: &Span| match start {
            Some(start) => start + part.start..start + part.end,
            None => node.span.clone(),
        };
        match parse(&text) {
            Ok(root) => Some(Expression { root, span: node.span.clone(), start, text }),
            Err(problem) => {
                let place = place(&problem.span);
                reader.find(EXPRESSION_SYNTAX, place, problem.message, "here", problem.help);
                None
            }
        }
    }

    fn json_schema() -> Value {
        json!({ "type": "string", "examples": ["status == 'open' and quantity > 0"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<FieldKind<'static>> {
        let field = |name, holds| FieldKind { name, holds, options: Vec::new(), is_whole: name == "quantity" };
        vec![
            field("quantity", Type::Number),
            field("price", Type::Number),
            field("name", Type::Text),
            field("due", Type::Date),
            field("seen", Type::Datetime),
            field("tags", Type::List),
            field("done", Type::Boolean),
            FieldKind { name: "status", holds: Type::Text, options: vec!["open", "closed"], is_whole: false },
        ]
    }

    fn value(text: &str) -> Result<Value, EvaluationError> {
        let lookup = |name: &str| match name {
            "quantity" => Datum::Number(3.into()),
            "price" => Datum::from_json(&json!("0.35"), true),
            "name" => Datum::Text("螺丝".to_owned()),
            "due" => Datum::Text("2026-04-15".to_owned()),
            "$today" => Datum::Text("2026-04-10".to_owned()),
            "status" => Datum::Text("open".to_owned()),
            "tags" => Datum::List(vec![Datum::Text("a".to_owned())]),
            _ => Datum::Null,
        };
        Expression::parse(text).unwrap().evaluate(&lookup).map(|datum| datum.to_json())
    }

    #[test]
    fn expressions_compute_exactly_and_bind_as_everywhere() {
        for (text, expected) in [
            ("quantity * price + 1", json!("2.05")),
            ("(quantity + 1) * 2", json!(8)),
            ("-quantity + 5 % 3", json!(-1)),
            ("10 - 2 - 3", json!(5)),
            ("status == 'open' AND quantity > 2", json!(true)),
            ("not status == 'open' or quantity in [1, 3]", json!(true)),
            ("!(status = 'open') || done", json!(null)),
            ("missing + 1", json!(null)),
            ("missing > 1 or missing == null", json!(true)),
            ("missing != 0 and 1 / missing > 2", json!(null)),
            ("not missing > 1", json!(null)),
            ("missing > 1 and quantity > 5", json!(false)),
            ("quantity == 0 or 1 / quantity > 0", json!(true)),
            ("concat(name, ' x', quantity)", json!("螺丝 x3")),
            ("len(name) + len(tags)", json!(3)),
            ("if(quantity > 5, 'much', 'little')", json!("little")),
            ("days($today, due)", json!(5)),
            ("due + 20", json!("2026-05-05")),
            ("round(price / 3, 2)", json!("0.12")),
            ("round(2.345, 2)", json!("2.35")),
            ("max(1, missing, 2.5)", json!("2.5")),
            ("coalesce(missing, name)", json!("螺丝")),
            ("contains(tags, 'a') and starts_with(name, '螺')", json!(true)),
            ("'it''s'", json!("it's")),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
        assert!(value("1 / 0").is_err());
        assert!(value("99999999999999999999999999 * 99999999999999").is_err());
    }

    #[test]
    fn what_is_wrong_is_found_at_its_place() {
        let problems = |text: &str, wanted: Type| match Expression::parse(text) {
            Err(problem) => vec![problem],
            Ok(expression) => expression.problems(&fields(), wanted),
        };
        for (text, part) in [
            ("quantty > 1", "quantty"),
            ("status == 'opne'", "'opne'"),
            ("quantity > 'a'", "quantity > 'a'"),
            ("name + 1", "name"),
            ("due > 'soon'", "due > 'soon'"),
            ("seen > '2026-01-01'", "seen > '2026-01-01'"),
            ("lenght(name) > 1", "lenght"),
            ("round(price)> 1", "round(price)"),
            ("quantity > 1 status", "status"),
            ("(quantity > 1", "("),
            ("quantity >", ""),
            ("name == 'x", "'x"),
            ("quantity ＞ 1", "＞"),
            ("done > true", "done"),
            ("status in ['open', 'gone']", "'gone'"),
            ("quantity in [1, 'a']", "'a'"),
            ("len(quantity) > 1", "quantity"),
            ("contains(done, 'a')", "done"),
            ("if(done, 'a', 1) == 'a'", "1"),
            ("coalesce(name, quantity) == 'a'", "quantity"),
        ] {
            let found = problems(text, Type::Boolean);
            let places: Vec<&str> = found.iter().map(|problem| &text[problem.span.clone()]).collect();
            assert!(places.contains(&part), "{text}: {found:?}");
        }
        assert_eq!(problems("due >= '2026-04-15' and date(seen) == $today", Type::Boolean), []);
        assert_eq!(problems("quantity", Type::Boolean).len(), 1);
        let stored = |text: &str, name: &str| {
            let fields = fields();
            let field = fields.iter().find(|field| field.name == name).unwrap();
            Expression::parse(text).unwrap().stored_problems(&fields, field).len()
        };
        for (text, name, expected) in [
            ("if(done, 'open', 'closd')", "status", 1),
            ("if(done, 'open', null)", "status", 0),
            ("quantity / 2", "quantity", 1),
            ("round(quantity / 2, 0) + 1", "quantity", 0),
            ("price", "quantity", 1),
            ("quantity * 2", "price", 0),
            ("name", "price", 1),
        ] {
            assert_eq!(stored(text, name), expected, "{text} in {name}");
        }
        assert!(Expression::parse(&"(".repeat(100)).is_err());
        assert!(Expression::parse(&"not ".repeat(100)).is_err());
        assert!(Expression::parse(&"1 + ".repeat(1_000)).is_err());
    }
}
