//! From a method and a path to a route.

use std::sync::LazyLock;

use super::ROUTES;
use super::route::{Route, Segment, segments};

/// A route, and what is in the places of its parameters.
#[derive(Debug, Clone)]
pub struct Match<'p> {
    /// The route.
    pub route: &'static Route,
    values: Vec<(&'static str, &'p str)>,
}

impl<'p> Match<'p> {
    /// The value of a parameter of the path; empty for a name that the route does not have.
    pub fn value(&self, name: &str) -> &'p str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// All routes in pieces, those with a literal before those with a parameter in the same place.
static IN_PIECES: LazyLock<Vec<(Vec<Segment>, &'static Route)>> = LazyLock::new(|| {
    let mut routes: Vec<(Vec<Segment>, &'static Route)> =
        ROUTES.iter().map(|route| (segments(route.path).collect(), route)).collect();
    routes.sort_by_key(|(pieces, _)| pieces.iter().map(rank).collect::<Vec<u8>>());
    routes
});

fn rank(segment: &Segment) -> u8 {
    match segment {
        Segment::Literal(_) => 0,
        Segment::Value(_) => 1,
        Segment::Rest(_) => 2,
    }
}

/// The route of a request; none where the path or the method is not known.
pub fn find<'p>(method: &str, path: &'p str) -> Option<Match<'p>> {
    let path = path.trim_matches('/');
    let mut of_method = IN_PIECES.iter().filter(|(_, route)| route.method.word() == method);
    of_method.find_map(|(pieces, route)| Some(Match { route, values: values(pieces, path)? }))
}

/// What stands for the parameters of a pattern in a path; none where it does not fit.
fn values<'p>(pieces: &[Segment], path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut values = Vec::new();
    let mut rest = Some(path);
    for piece in pieces {
        let left = rest?;
        if let Segment::Rest(name) = piece {
            values.push((*name, left));
            return Some(values);
        }
        let (part, behind) = left.split_once('/').map_or((left, None), |(part, behind)| (part, Some(behind)));
        match piece {
            Segment::Literal(word) if *word == part => {}
            Segment::Value(name) if !part.is_empty() => values.push((*name, part)),
            _ => return None,
        }
        rest = behind;
    }
    rest.is_none().then_some(values)
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
