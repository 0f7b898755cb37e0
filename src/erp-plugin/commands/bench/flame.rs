//! A flame graph: a function is as wide as the fuel that it burned, and is drawn above its caller.

use std::collections::BTreeMap;

use erp_manifest::diagnostics::xml_text;

/// Width of the picture, in pixels.
const WIDTH: f64 = 1200.0;
/// Height of a row, in pixels.
const ROW: usize = 18;
/// Height of the title, in pixels.
const TITLE: usize = 28;
/// Minimum width of a function, in pixels. Narrower ones are not drawn.
const LEAST: f64 = 0.4;
/// Approximate width of a letter, in pixels.
const LETTER: f64 = 6.6;

#[derive(Default)]
struct Frame {
    fuel: u64,
    callees: BTreeMap<String, Frame>,
}

/// Draws stacks and their fuel; each stack starts with its outermost function. The same stacks always give the same
/// picture.
pub(super) fn svg(stacks: &BTreeMap<Vec<String>, u64>) -> String {
    let mut root = Frame::default();
    let mut deepest = 0;
    for (stack, fuel) in stacks {
        root.fuel += fuel;
        deepest = deepest.max(stack.len());
        let mut at = &mut root;
        for name in stack {
            at = at.callees.entry(name.clone()).or_default();
            at.fuel += fuel;
        }
    }
    let height = TITLE + (deepest + 1) * ROW + 8;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"18\" font-size=\"13\">fuel by function: about {} in all</text>\n",
        root.fuel
    );
    draw("all calls", &root, (0.0, 0), (root.fuel, height), &mut text);
    text.push_str("</svg>\n");
    text
}

fn draw(name: &str, frame: &Frame, (left, depth): (f64, usize), (all, height): (u64, usize), text: &mut String) {
    let width = frame.fuel as f64 * WIDTH / all.max(1) as f64;
    if width < LEAST {
        return;
    }
    let top = height - 8 - (depth + 1) * ROW;
    let share = frame.fuel as f64 * 100.0 / all.max(1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of letters")]
    let letters = ((width - 6.0) / LETTER).max(0.0) as usize;
    let shown: String = if name.chars().count() <= letters {
        name.to_owned()
    } else if letters > 3 {
        name.chars().take(letters - 1).chain(['…']).collect()
    } else {
        String::new()
    };
    text.push_str(&format!(
        "<g><title>{}: {} fuel, {share:.1} %</title><rect x=\"{left:.2}\" y=\"{top}\" width=\"{width:.2}\" height=\"{}\" fill=\"{}\" \
         stroke=\"#fff\" stroke-width=\"0.5\"/><text x=\"{:.2}\" y=\"{}\">{}</text></g>\n",
        xml_text(name),
        frame.fuel,
        ROW - 1,
        colour(name),
        left + 3.0,
        top + 13,
        xml_text(&shown)
    ));
    let mut at = left;
    for (name, callee) in &frame.callees {
        draw(name, callee, (at, depth + 1), (all, height), text);
        at += callee.fuel as f64 * WIDTH / all.max(1) as f64;
    }
}

/// A warm colour for the plugin's own functions, grey for those of language libraries. The same name has always the
/// same colour.
fn colour(name: &str) -> String {
    let sum = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let path = name.trim_start_matches(['<', '&', '*']);
    let is_library =
        ["core::", "alloc::", "std::", "dlmalloc", "__", "mem"].iter().any(|start| path.starts_with(start));
    let (hue, saturation, light) =
        if is_library { (210, 12, 78 + sum % 10) } else { (20 + sum % 35, 85, 66 + sum % 12) };
    format!("hsl({hue},{saturation}%,{light}%)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_as_wide_as_their_fuel() {
        let stack = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let stacks = BTreeMap::from([(stack(&["a"]), 25), (stack(&["a", "b<T>"]), 75)]);
        let picture = svg(&stacks);
        assert!(picture.contains("<title>a: 100 fuel, 100.0 %</title>"), "{picture}");
        assert!(picture.contains("<title>b&lt;T&gt;: 75 fuel, 75.0 %</title>"), "{picture}");
        assert!(picture.contains("width=\"900.00\""), "{picture}");
        assert_eq!(picture, svg(&stacks));
    }
}
