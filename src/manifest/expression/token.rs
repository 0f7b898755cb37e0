//! The tokenizer, from text to tokens.

use std::ops::Range;

use rust_decimal::Decimal;

use super::types::ExpressionProblem;

/// A token and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

/// The kind of a token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Number(Decimal),
    Text(String),
    /// A field, a function, `true`, `false`, `null`, `and`, `or`, `not`, `in`, or a word with `$`.
    Word(String),
    /// One of [`SIGNS`], or a comma.
    Sign(&'static str),
}

/// Signs are tried in this order, so longer ones come first.
const SIGNS: [&str; 20] =
    ["==", "!=", "<>", "<=", ">=", "&&", "||", "=", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]"];

/// Splits a text into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionProblem> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let (kind, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_ascii_digit() {
            number(text, at)?
        } else if first == '\'' || first == '"' {
            quoted(text, at, first)?
        } else if first.is_ascii_alphabetic() || first == '_' || first == '$' {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let length = 1 + text[at + 1..].find(|c: char| !is_part(c)).unwrap_or(text.len() - at - 1);
            (TokenKind::Word(text[at..at + length].to_owned()), length)
        } else if first == ',' {
            (TokenKind::Sign(","), 1)
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| text[at..].starts_with(sign)) {
            (TokenKind::Sign(sign), sign.len())
        } else {
            let place = at..at + first.len_utf8();
            let full_width = matches!(first, '，' | '（' | '）' | '“' | '”' | '‘' | '’' | '＝' | '！' | '＞' | '＜');
            let help = full_width.then(|| "write it with the half-width character".to_owned());
            return Err(ExpressionProblem::new(place, format!("`{first}` means nothing here"), help));
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

fn number(text: &str, at: usize) -> Result<(TokenKind, usize), ExpressionProblem> {
    let length = text[at..].find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len() - at);
    let digits = text[at..at + length].replace('_', "");
    Decimal::from_str_exact(&digits).map(|number| (TokenKind::Number(number), length)).map_err(|_| {
        ExpressionProblem::new(at..at + length, format!("`{digits}` is no number of at most 28 digits"), None)
    })
}

/// Reads a quoted text. A quote inside is written twice, as in SQL.
fn quoted(text: &str, at: usize, quote: char) -> Result<(TokenKind, usize), ExpressionProblem> {
    let mut content = String::new();
    let mut characters = text[at + 1..].char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        if character != quote {
            content.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            content.push(quote);
            characters.next();
        } else {
            return Ok((TokenKind::Text(content), offset + 2));
        }
    }
    let help = format!("end it with {quote}");
    Err(ExpressionProblem::new(at..text.len(), "this text does not end", Some(help)))
}
