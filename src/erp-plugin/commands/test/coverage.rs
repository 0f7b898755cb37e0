//! Which lines of the plugin's source its scenarios reach.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use erp_manifest::digest::sha256_hex;
use erp_runtime::Probe;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::build::SOURCE_FOLDER;
use crate::command_error::{CommandError, codes};
use crate::ui::Table;

/// The file in the project where a run with --coverage stores which case reached which lines.
const KEPT: &str = "target/coverage.json";

/// How much of the source was reached.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CoverageJson {
    /// Lines that can be reached.
    lines: usize,
    /// Those that were.
    covered: usize,
    /// The files.
    files: Vec<FileCoverage>,
}

/// A file of the source.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FileCoverage {
    /// Its path in the project.
    file: String,
    /// Lines that can be reached.
    lines: usize,
    /// Those that were.
    covered: usize,
    /// Lines that no scenario reached.
    missed: Vec<u32>,
}

/// The lines of one run, by file of the project and line number: whether the line was reached.
pub(super) type Lines = BTreeMap<String, BTreeMap<u32, bool>>;

/// The lines that a probe recorded, by path in the project. Lines of other files are left out.
pub(super) fn lines_of(probe: &Probe, root: &Path) -> Lines {
    let mut lines = Lines::new();
    for ((file, line), hit) in probe.lines() {
        let path = Path::new(&file);
        // A release build records the same source folder on every machine.
        let own = path.strip_prefix(root).or_else(|_| path.strip_prefix(SOURCE_FOLDER));
        let Some(own) = own.ok().filter(|own| root.join(own).is_file()) else { continue };
        *lines.entry(own.display().to_string()).or_default().entry(line).or_default() |= hit;
    }
    lines
}

/// Merges the lines of several runs.
pub(super) fn merged<'l>(all: impl IntoIterator<Item = &'l Lines>) -> Lines {
    let mut merged = Lines::new();
    for (file, lines) in all.into_iter().flatten() {
        let own = merged.entry(file.clone()).or_default();
        for (line, hit) in lines {
            *own.entry(*line).or_default() |= hit;
        }
    }
    merged
}

impl CoverageJson {
    pub(super) fn of(lines: &Lines) -> Result<CoverageJson, CommandError> {
        if lines.is_empty() {
            let message = "the component names no line of a source in this folder";
            let error = CommandError::new(codes::COVERAGE, message);
            return Err(error.hint("build it here, with or without --release: a component from elsewhere has no lines"));
        }
        let count = |lines: &BTreeMap<u32, bool>| lines.values().filter(|hit| **hit).count();
        let files: Vec<FileCoverage> = lines
            .iter()
            .map(|(file, lines)| FileCoverage {
                file: file.clone(),
                lines: lines.len(),
                covered: count(lines),
                missed: lines.iter().filter(|(_, hit)| !**hit).map(|(line, _)| *line).collect(),
            })
            .collect();
        let sum = |of: fn(&FileCoverage) -> usize| files.iter().map(of).sum();
        Ok(CoverageJson { lines: sum(|file| file.lines), covered: sum(|file| file.covered), files })
    }

    /// The coverage as a table.
    pub(super) fn shown(&self) -> String {
        let mut table = Table::new();
        table.row(["file", "lines", "covered", "", "missed"].map(str::to_owned));
        let percent = |covered: usize, lines: usize| format!("{:.1} %", covered as f64 * 100.0 / lines.max(1) as f64);
        for file in &self.files {
            let percent = percent(file.covered, file.lines);
            table.row([
                file.file.clone(),
                file.lines.to_string(),
                file.covered.to_string(),
                percent,
                ranges(&file.missed),
            ]);
        }
        let percent = percent(self.covered, self.lines);
        table.row(["all".to_owned(), self.lines.to_string(), self.covered.to_string(), percent, String::new()]);
        table.render()
    }
}

/// Lines as ranges: `3-5, 9`. At most 12 ranges are listed.
fn ranges(lines: &[u32]) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(first) = lines.get(at) {
        let mut last = at;
        while lines.get(last + 1).is_some_and(|next| *next == lines[last] + 1) {
            last += 1;
        }
        shown.push(if last == at { first.to_string() } else { format!("{first}-{}", lines[last]) });
        at = last + 1;
    }
    if shown.len() > 12 {
        let more = shown.len() - 12;
        shown.truncate(12);
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

/// The lines in the lcov format, which editors and coverage services read.
pub(super) fn lcov(lines: &Lines, root: &Path) -> String {
    let mut text = String::new();
    for (file, lines) in lines {
        text.push_str(&format!("SF:{}\n", root.join(file).display()));
        for (line, hit) in lines {
            text.push_str(&format!("DA:{line},{}\n", u8::from(*hit)));
        }
        let covered = lines.values().filter(|hit| **hit).count();
        text.push_str(&format!("LF:{}\nLH:{covered}\nend_of_record\n", lines.len()));
    }
    text
}

/// The lines that each case of a run reached, and the state of the files at that time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct CoverageRecord {
    /// Digests of the lines of each source file.
    files: BTreeMap<String, Vec<String>>,
    /// Digests of the files that every case depends on, and of the scenario files.
    whole: BTreeMap<String, String>,
    /// The lines of each file that a case can reach.
    #[serde(default)]
    reachable: BTreeMap<String, BTreeSet<u32>>,
    /// The lines that each case reached, by its file and name.
    cases: BTreeMap<String, BTreeMap<String, BTreeSet<u32>>>,
}

impl CoverageRecord {
    /// Reads what the last run with coverage stored; `None` if there was none.
    pub(super) fn read(root: &Path) -> Option<CoverageRecord> {
        serde_json::from_slice(&fs_err::read(root.join(KEPT)).ok()?).ok()
    }

    /// Stores what a run reached.
    pub(super) fn write(root: &Path, cases: BTreeMap<String, &Lines>) -> Result<(), CommandError> {
        let mut kept = CoverageRecord::default();
        let whole = whole_files(root);
        for (name, lines) in cases {
            let mut reached = BTreeMap::new();
            for (file, lines) in lines {
                kept.files.entry(file.clone()).or_insert_with(|| digests(&root.join(file)));
                kept.reachable.entry(file.clone()).or_insert_with(|| lines.keys().copied().collect());
                let hits: BTreeSet<u32> = lines.iter().filter(|(_, hit)| **hit).map(|(line, _)| *line).collect();
                reached.insert(file.clone(), hits);
            }
            kept.cases.insert(name, reached);
        }
        for file in whole {
            kept.whole.insert(file.display().to_string(), digest(&file));
        }
        let text = serde_json::to_string(&kept).unwrap_or_default();
        erp_files::write(&root.join(KEPT), text.as_bytes(), erp_files::FileAccess::Shared)?;
        Ok(())
    }

    /// Whether something changed that a case depends on: a file that every case may depend on, its scenario file, a
    /// line that it reached, or a line next to one. A changed line that no case can reach, such as a constant, counts
    /// too. A case that failed is affected until it passes.
    pub(super) fn is_affected(&self, root: &Path, case: &str, scenarios: &Path) -> bool {
        let Some(reached) = self.cases.get(case) else { return true };
        let is_same = |file: &Path| self.whole.get(&file.display().to_string()) == Some(&digest(file));
        let others = whole_files(root).into_iter().filter(|file| !file.to_string_lossy().ends_with(".test.toml"));
        if !is_same(scenarios) || others.into_iter().any(|file| !is_same(&file)) {
            return true;
        }
        reached.iter().any(|(file, lines)| {
            let Some(was) = self.files.get(file) else { return true };
            let is = digests(&root.join(file));
            let Some((first, last)) = changed(was, &is) else { return false };
            let known = self.reachable.get(file);
            // Apart from its neighbours, does the change include a line that no case can reach?
            let hidden = (first + 1..last).any(|line| known.is_none_or(|known| !known.contains(&line)));
            hidden || lines.iter().any(|line| (first..=last).contains(line))
        })
    }
}

/// The first and the last changed line of the old text, extended by one line on each side: lines inserted between two
/// others affect both. `None` if nothing changed.
fn changed(was: &[String], is: &[String]) -> Option<(u32, u32)> {
    if was == is {
        return None;
    }
    let same_start = was.iter().zip(is).take_while(|(was, is)| was == is).count();
    let most = was.len().min(is.len()) - same_start;
    let same_end = was.iter().rev().zip(is.iter().rev()).take(most).take_while(|(was, is)| was == is).count();
    let line = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Some((line(same_start), line(was.len() - same_end + 1)))
}

/// Files of the project that any case may depend on: all except sources, results, and hidden files of the root folder.
fn whole_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in fs_err::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let is_result = matches!(name.as_str(), "target" | "dist" | "src") || name.starts_with('.');
            if is_result && folder == root {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn digests(file: &Path) -> Vec<String> {
    let text = fs_err::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| sha256_hex(line.trim().as_bytes())[..12].to_owned()).collect()
}

fn digest(file: &Path) -> String {
    fs_err::read(file).map(|bytes| sha256_hex(&bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_with_its_neighbours() {
        let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        assert_eq!(changed(&lines("abcde"), &lines("abcde")), None);
        assert_eq!(changed(&lines("abcde"), &lines("abXde")), Some((2, 4)));
        assert_eq!(changed(&lines("abcde"), &lines("abcXde")), Some((3, 4)));
        assert_eq!(changed(&lines("aaa"), &lines("aa")), Some((2, 4)));
        assert_eq!(ranges(&[3, 4, 5, 9]), "3-5, 9");
    }
}
