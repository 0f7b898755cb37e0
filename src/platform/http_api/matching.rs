//! Finds the route for a method and a path.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::ROUTES;
use super::route::{Route, Segment, segments};

/// A route and the values of its path parameters.
#[derive(Debug, Clone)]
pub struct Match<'p> {
    /// The route.
    pub route: &'static Route,
    values: Vec<(&'static str, &'p str)>,
}

impl<'p> Match<'p> {
    /// Returns the value of a path parameter; empty for a name that the route does not have.
    pub fn value(&self, name: &str) -> &'p str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// The routes of a method, split into segments. A literal segment sorts before a parameter in the same position.
type InPieces = Vec<(Vec<Segment>, &'static Route)>;

static OF_METHODS: LazyLock<BTreeMap<&'static str, InPieces>> = LazyLock::new(|| {
    let mut methods: BTreeMap<&'static str, InPieces> = BTreeMap::new();
    for route in ROUTES {
        methods.entry(route.method.word()).or_default().push((segments(route.path).collect(), route));
    }
    for routes in methods.values_mut() {
        routes.sort_by_key(|(pieces, _)| pieces.iter().map(rank).collect::<Vec<u8>>());
    }
    methods
});

fn rank(segment: &Segment) -> u8 {
    match segment {
        Segment::Literal(_) => 0,
        Segment::Value(_) => 1,
        Segment::Rest(_) => 2,
    }
}

/// Returns the route for a method and a path; `None` if no route matches.
pub fn find<'p>(method: &str, path: &'p str) -> Option<Match<'p>> {
    let path = path.trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let mut routes = OF_METHODS.get(method)?.iter().filter(|(pieces, _)| fits(pieces, &parts));
    routes.next().map(|(pieces, route)| Match { route, values: values(pieces, path, &parts) })
}

/// Returns whether the parts of a path match a pattern.
fn fits(pieces: &[Segment], parts: &[&str]) -> bool {
    let has_rest = matches!(pieces.last(), Some(Segment::Rest(_)));
    let has_length = if has_rest { parts.len() >= pieces.len() } else { parts.len() == pieces.len() };
    has_length
        && pieces.iter().zip(parts).all(|(piece, part)| match piece {
            Segment::Literal(word) => word == part,
            Segment::Value(_) => !part.is_empty(),
            Segment::Rest(_) => true,
        })
}

/// Returns the values of a matching pattern's parameters.
fn values<'p>(pieces: &[Segment], path: &'p str, parts: &[&'p str]) -> Vec<(&'static str, &'p str)> {
    let mut begin = 0;
    let mut values = Vec::new();
    for (piece, part) in pieces.iter().zip(parts) {
        match piece {
            Segment::Literal(_) => {}
            Segment::Value(name) => values.push((*name, *part)),
            Segment::Rest(name) => values.push((*name, &path[begin..])),
        }
        begin += part.len() + 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_comes_before_a_parameter_and_the_rest_takes_all_that_follows() {
        let of = |method, path| find(method, path).map(|found| (found.route.id, found.values));
        assert_eq!(
            of("GET", "/api/v1/plugins/erp-a/item/count"),
            Some(("count", vec![("plugin", "erp-a"), ("entity", "item")]))
        );
        let row = vec![("plugin", "erp-a"), ("entity", "item"), ("id", "7")];
        assert_eq!(of("GET", "/api/v1/plugins/erp-a/item/7/"), Some(("get", row)));
        assert_eq!(of("GET", "/api/v1/plugins/erp-a/pages"), Some(("pages.list", vec![("plugin", "erp-a")])));
        let file = vec![("plugin", "erp-a"), ("path", "ui/a/b.js")];
        assert_eq!(of("GET", "/api/v1/plugin-files/erp-a/ui/a/b.js"), Some(("plugins.file", file)));
        assert_eq!(of("TRACE", "/health"), None);
        assert_eq!(of("GET", "/api/v1/plugins/erp-a//x"), None);
        assert_eq!(of("GET", "/health/x"), None);
    }
}
