//! Reads a package from unknown bytes to signed files, in stages. No entry is inflated before its size is bounded,
//! and no entry is read before the previous stage accepted it.

use std::collections::BTreeMap;

use erp_manifest::digest::sha256_hex;

use super::format::{COMPONENT, ENVELOPE, MANIFEST, META, MIME_TYPE, MIME_TYPE_ENTRY, PROVENANCE, SBOM};
use super::{PackageProblem, Statement, codes};
use crate::signing::Envelope;
use crate::strict_zip::{ArchiveEntry, Header, Limits, inflate, structure};

/// Maximum number of problems that one stage reports.
const MAX_PROBLEMS: usize = 50;

/// A package whose structure is valid. No entry was inflated.
#[derive(Debug)]
pub struct PackageReader<'a> {
    bytes: &'a [u8],
    headers: Vec<Header>,
    /// The index in `headers` of each entry, by name.
    index: BTreeMap<String, usize>,
}

impl<'a> PackageReader<'a> {
    /// Runs the first stage: checks the container, its limits, and that it has every required file.
    ///
    /// # Errors
    /// All problems of the container, or all missing and unknown files.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<PackageReader<'a>, Vec<PackageProblem>> {
        let structure = structure(bytes, limits);
        if !structure.problems.is_empty() {
            return Err(structure.problems.into_iter().map(PackageProblem::from).collect());
        }
        let index = structure.headers.iter().enumerate().map(|(at, header)| (header.name.clone(), at)).collect();
        let sealed = PackageReader { bytes, headers: structure.headers, index };
        let missing: Vec<PackageProblem> = [MIME_TYPE_ENTRY, ENVELOPE, MANIFEST, COMPONENT]
            .into_iter()
            .filter(|name| sealed.header(name).is_none())
            .map(|name| PackageProblem::new(codes::MISSING_FILE, format!("`{name}` is missing")))
            .collect();
        let known = [ENVELOPE, SBOM, PROVENANCE];
        let unknown =
            sealed.headers.iter().filter(|header| header.name.starts_with(META) && !known.contains(&&*header.name));
        let unknown = unknown.map(|header| {
            let message = format!("`{}` is no file of this version of the format", header.name);
            PackageProblem::new(codes::UNKNOWN_FILE, message)
        });
        let problems: Vec<PackageProblem> = missing.into_iter().chain(unknown).take(MAX_PROBLEMS).collect();
        if problems.is_empty() { Ok(sealed) } else { Err(problems) }
    }

    /// Returns the headers of the entries, in the order of the archive.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// Runs the second stage: reads the envelope, the only file that is read before a signature covers it.
    ///
    /// # Errors
    /// The reason why the envelope cannot be read.
    pub fn envelope(&self) -> Result<Envelope, Vec<PackageProblem>> {
        let header = self.header(ENVELOPE).ok_or_else(Vec::new)?;
        let bytes = inflate(self.bytes, header).map_err(|refusal| vec![refusal.into()])?;
        Envelope::parse(&bytes).map_err(|error| vec![PackageProblem::new(error.code(), error.to_string())])
    }

    /// Runs the third stage: checks that the statement names exactly the files of the package, with their sizes.
    ///
    /// # Errors
    /// All problems of the statement, up to a maximum of 50.
    pub fn statement(&self, envelope: &Envelope) -> Result<Statement, Vec<PackageProblem>> {
        let statement = Statement::of_envelope(envelope)
            .map_err(|error| vec![PackageProblem::new(codes::STATEMENT, error.to_string())])?;
        if statement.predicate.format_version != 1 {
            let message = format!("format {} is not known to this tool", statement.predicate.format_version);
            return Err(vec![PackageProblem::new(codes::STATEMENT, message)]);
        }
        if !statement.subject.is_sorted_by(|left, right| left.name <= right.name) {
            let message = "the statement's files are not in the order of their names";
            return Err(vec![PackageProblem::new(codes::STATEMENT, message)]);
        }
        let mut problems = Vec::new();
        let mut covered = BTreeMap::new();
        for subject in &statement.subject {
            if problems.len() >= MAX_PROBLEMS {
                break;
            }
            if covered.insert(subject.name.as_str(), subject).is_some() {
                let message = format!("the signed statement names `{}` twice", subject.name);
                problems.push(PackageProblem::new(codes::STATEMENT, message));
            }
            if self.header(&subject.name).is_none() {
                let message = format!("`{}` was signed and is not there", subject.name);
                problems.push(PackageProblem::new(codes::MISSING_FILE, message));
            }
        }
        for header in self.headers.iter().filter(|header| header.name != ENVELOPE) {
            let name = &header.name;
            if !covered.contains_key(name.as_str()) {
                let message = format!("`{name}` is not in the signed statement");
                problems.push(PackageProblem::new(codes::UNSIGNED_FILE, message));
            } else if statement.predicate.sizes.get(name) != Some(&u64::from(header.size)) {
                problems.push(not_what_was_signed(name));
            }
        }
        problems.truncate(MAX_PROBLEMS);
        if problems.is_empty() { Ok(statement) } else { Err(problems) }
    }

    /// Runs the fourth stage: inflates every file and compares it with its digest.
    ///
    /// # Errors
    /// Every file that is damaged or differs from the signed one, up to a maximum of 50.
    pub fn entries(&self, statement: &Statement) -> Result<Vec<ArchiveEntry>, Vec<PackageProblem>> {
        let digests: BTreeMap<&str, &str> =
            statement.subject.iter().map(|subject| (subject.name.as_str(), subject.digest.sha256.as_str())).collect();
        let mut problems = Vec::new();
        let mut entries = Vec::with_capacity(self.headers.len());
        for header in &self.headers {
            match inflate(self.bytes, header) {
                Err(refusal) => problems.push(PackageProblem::from(refusal)),
                Ok(bytes) => {
                    let expected = digests.get(header.name.as_str());
                    if header.name != ENVELOPE && expected != Some(&sha256_hex(&bytes).as_str()) {
                        problems.push(not_what_was_signed(&header.name));
                    } else if header.name == MIME_TYPE_ENTRY && bytes != MIME_TYPE.as_bytes() {
                        problems.push(PackageProblem::new(codes::MIMETYPE, "`mimetype` names another format"));
                    }
                    // After a bad file, the remaining files are checked but not kept.
                    if problems.is_empty() {
                        entries.push(ArchiveEntry { name: header.name.clone(), bytes });
                    }
                }
            }
            if problems.len() >= MAX_PROBLEMS {
                break;
            }
        }
        if problems.is_empty() { Ok(entries) } else { Err(problems) }
    }

    fn header(&self, name: &str) -> Option<&Header> {
        self.index.get(name).map(|at| &self.headers[*at])
    }
}

fn not_what_was_signed(name: &str) -> PackageProblem {
    PackageProblem::new(codes::DIGEST_MISMATCH, format!("`{name}` is not the file that was signed"))
}
