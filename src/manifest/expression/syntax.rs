//! The parser, from tokens to a tree of terms.

use std::ops::Range;

use super::evaluate::Datum;
use super::roll_up::RollUp;
use super::token::{Token, TokenKind, tokens};
use super::types::ExpressionProblem;

/// The maximum length of an expression, in characters.
pub const MAX_CHARACTERS: usize = 2_000;
/// The maximum nesting depth of an expression.
pub const MAX_DEPTH: usize = 32;

/// A part of an expression, and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) kind: TermKind,
    pub(super) span: Range<usize>,
}

/// The kind of a term.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TermKind {
    Literal(Datum),
    List(Vec<Term>),
    /// A field, or a word such as `$today`.
    Name(String),
    Not(Box<Term>),
    Negative(Box<Term>),
    Binary(Operator, Box<Term>, Box<Term>),
    Call(String, Vec<Term>),
    RollUp(RollUp),
}

/// An operator between two terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// The precedence: a higher number binds more tightly.
    fn strength(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And => 2,
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::In => 3,
            Operator::Add | Operator::Subtract => 4,
            Operator::Multiply | Operator::Divide | Operator::Remainder => 5,
        }
    }

    fn of(token: &TokenKind) -> Option<Operator> {
        Some(match token {
            TokenKind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "or" => Operator::Or,
                "and" => Operator::And,
                "in" => Operator::In,
                _ => return None,
            },
            TokenKind::Sign(sign) => match *sign {
                "||" => Operator::Or,
                "&&" => Operator::And,
                "==" | "=" => Operator::Equal,
                "!=" | "<>" => Operator::NotEqual,
                "<" => Operator::Less,
                "<=" => Operator::LessOrEqual,
                ">" => Operator::Greater,
                ">=" => Operator::GreaterOrEqual,
                "+" => Operator::Add,
                "-" => Operator::Subtract,
                "*" => Operator::Multiply,
                "/" => Operator::Divide,
                "%" => Operator::Remainder,
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// Parses a text into a tree.
pub(super) fn parse(text: &str) -> Result<Term, ExpressionProblem> {
    if text.chars().count() > MAX_CHARACTERS {
        let message = format!("an expression has at most {MAX_CHARACTERS} characters");
        return Err(ExpressionProblem::new(0..text.len(), message, None));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, end: text.len(), depth: 0 };
    let term = parser.binary(0)?;
    match parser.tokens.get(parser.next) {
        None => Ok(term),
        Some(token) => Err(ExpressionProblem::new(
            token.span.clone(),
            format!("the expression could end before `{}`", &text[token.span.clone()]),
            Some("is an operator missing, such as `and`?".to_owned()),
        )),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser<'_> {
    fn binary(&mut self, least: u8) -> Result<Term, ExpressionProblem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExpressionProblem::new(
                self.here(),
                format!("the expression nests deeper than {MAX_DEPTH}"),
                None,
            ));
        }
        let mut left = self.unary()?;
        while let Some(operator) = self.peek().and_then(Operator::of).filter(|found| found.strength() > least) {
            self.next += 1;
            let right = self.binary(operator.strength())?;
            let span = left.span.start..right.span.end;
            left = Term { kind: TermKind::Binary(operator, Box::new(left), Box::new(right)), span };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Term, ExpressionProblem> {
        let start = self.here().start;
        let is_not = match self.peek() {
            Some(TokenKind::Sign("!")) => true,
            Some(TokenKind::Word(word)) => word.eq_ignore_ascii_case("not"),
            _ => false,
        };
        if is_not {
            self.next += 1;
            // `not a == b` negates the comparison, as in SQL; `!a == b` does the same.
            let inner = self.binary(Operator::And.strength())?;
            let span = start..inner.span.end;
            return Ok(Term { kind: TermKind::Not(Box::new(inner)), span });
        }
        if self.take("-") {
            let inner = self.binary(Operator::Remainder.strength())?;
            let span = start..inner.span.end;
            return Ok(Term { kind: TermKind::Negative(Box::new(inner)), span });
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Term, ExpressionProblem> {
        let span = self.here();
        let Some(token) = self.tokens.get(self.next) else {
            return Err(ExpressionProblem::new(span, "the expression ends where a value is needed", None));
        };
        self.next += 1;
        let kind = match &token.kind {
            TokenKind::Number(number) => TermKind::Literal(Datum::Number(*number)),
            TokenKind::Text(text) => TermKind::Literal(Datum::Text(text.clone())),
            TokenKind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" => TermKind::Literal(Datum::Boolean(true)),
                "false" => TermKind::Literal(Datum::Boolean(false)),
                "null" => TermKind::Literal(Datum::Null),
                "and" | "or" | "in" => {
                    return Err(ExpressionProblem::new(span, format!("`{word}` needs a value in front of it"), None));
                }
                _ if self.take("(") => {
                    let arguments = self.list(")")?;
                    let end = self.tokens[self.next - 1].span.end;
                    let kind = match RollUp::of_call(word, &arguments) {
                        Some(roll_up) => TermKind::RollUp(roll_up),
                        None => TermKind::Call(word.clone(), arguments),
                    };
                    return Ok(Term { kind, span: span.start..end });
                }
                _ => TermKind::Name(word.clone()),
            },
            TokenKind::Sign("(") => {
                let inner = self.binary(0)?;
                let end = self.close(")", &span)?;
                return Ok(Term { kind: inner.kind, span: span.start..end });
            }
            TokenKind::Sign("[") => {
                let items = self.list("]")?;
                let end = self.tokens[self.next - 1].span.end;
                return Ok(Term { kind: TermKind::List(items), span: span.start..end });
            }
            TokenKind::Sign(sign) => {
                return Err(ExpressionProblem::new(span, format!("a value is needed where `{sign}` stands"), None));
            }
        };
        Ok(Term { kind, span })
    }

    /// Parses terms between commas, up to and including the closing sign.
    fn list(&mut self, close: &'static str) -> Result<Vec<Term>, ExpressionProblem> {
        let open = self.tokens[self.next - 1].span.clone();
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(self.binary(0)?);
            if !self.take(",") {
                self.close(close, &open)?;
                return Ok(items);
            }
        }
    }

    fn close(&mut self, sign: &'static str, open: &Range<usize>) -> Result<usize, ExpressionProblem> {
        if self.take(sign) {
            return Ok(self.tokens[self.next - 1].span.end);
        }
        let place = if self.next < self.tokens.len() { self.here() } else { open.clone() };
        Err(ExpressionProblem::new(place, format!("`{sign}` is missing"), None))
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let is_next = self.peek() == Some(&TokenKind::Sign(sign));
        self.next += usize::from(is_next);
        is_next
    }

    fn peek(&self) -> Option<&TokenKind> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    fn here(&self) -> Range<usize> {
        self.tokens.get(self.next).map_or(self.end..self.end, |token| token.span.clone())
    }
}
