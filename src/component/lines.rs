//! Maps the instructions of a core module to source lines (DWARF) and to functions.

use std::collections::BTreeMap;

use gimli::{AttributeValue, Dwarf, EndianSlice, LittleEndian, SectionId};
use thiserror::Error;
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// An instruction at which a line begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePoint {
    /// The offset from the beginning of the module, in bytes.
    pub pc: u32,
    /// The index of the file in [`LineTable::files`].
    pub file: usize,
    /// The line number, from 1.
    pub line: u32,
}

/// The lines and functions of a core module.
#[derive(Debug, Clone, Default)]
pub struct LineTable {
    /// The paths of the source files; relative paths are prefixed with the compiler's folder.
    pub files: Vec<String>,
    /// The points where lines begin, sorted by offset.
    pub points: Vec<LinePoint>,
    /// The offsets and demangled names of functions, sorted by offset.
    pub functions: Vec<(u32, String)>,
}

/// Debug information that cannot be read.
#[derive(Debug, Error)]
#[error("the debug information cannot be read: {0}")]
pub struct LinesError(String);

type Slice<'b> = EndianSlice<'b, LittleEndian>;

impl LineTable {
    /// Reads the lines of a core module; without points if it has no debug information.
    ///
    /// # Errors
    /// [`LinesError`].
    pub fn read(module: &[u8]) -> Result<LineTable, LinesError> {
        let failed = |error: &dyn std::fmt::Display| LinesError(error.to_string());
        let mut sections: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let mut table = LineTable::default();
        let mut names: BTreeMap<u32, String> = BTreeMap::new();
        let mut bodies: Vec<u32> = Vec::new();
        let (mut code_start, mut imported) = (0, 0);
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(|error| failed(&error))? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.map_err(|error| failed(&error))?;
                        imported += u32::from(matches!(import.ty, wasmparser::TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionStart { range, .. } => code_start = u32::try_from(range.start).unwrap_or(0),
                Payload::CodeSectionEntry(body) => bodies.push(u32::try_from(body.range().start).unwrap_or(u32::MAX)),
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(known) = section.as_known() {
                        for name in known.into_iter().flatten() {
                            let Name::Function(map) = name else { continue };
                            for naming in map.into_iter().flatten() {
                                names.insert(naming.index, format!("{:#}", rustc_demangle::demangle(naming.name)));
                            }
                        }
                    } else {
                        sections.insert(section.name(), section.data());
                    }
                }
                _ => {}
            }
        }
        for (index, start) in (imported..).zip(bodies) {
            table.functions.push((start, names.remove(&index).unwrap_or_else(|| format!("function {index}"))));
        }
        let load = |id: SectionId| -> Result<Slice<'_>, gimli::Error> {
            Ok(EndianSlice::new(sections.get(id.name()).copied().unwrap_or_default(), LittleEndian))
        };
        let dwarf = Dwarf::load(load).map_err(|error| failed(&error))?;
        table.read_units(&dwarf, code_start).map_err(|error| failed(&error))?;
        Ok(table)
    }

    fn read_units(&mut self, dwarf: &Dwarf<Slice<'_>>, code_start: u32) -> Result<(), gimli::Error> {
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut units = dwarf.units();
        while let Some(header) = units.next()? {
            let unit = dwarf.unit(header)?;
            let Some(program) = unit.line_program.clone() else { continue };
            let folder = unit.comp_dir.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
            let (program, sequences) = program.sequences()?;
            for sequence in &sequences {
                // The linker marks removed code with a start of 0 or one that is out of range.
                if sequence.start == 0 || sequence.start >= u64::from(u32::MAX) {
                    continue;
                }
                let mut rows = program.resume_from(sequence);
                while let Some((header, row)) = rows.next_row()? {
                    let Some(line) = row.line().filter(|_| row.is_stmt() && !row.end_sequence()) else { continue };
                    let Some(file) = row.file(header) else { continue };
                    let text = |value: AttributeValue<Slice<'_>>| -> Result<String, gimli::Error> {
                        Ok(dwarf.attr_string(&unit, value)?.to_string_lossy().into_owned())
                    };
                    let mut path = text(file.path_name())?;
                    if let Some(directory) = file.directory(header).filter(|_| !path.starts_with('/')) {
                        path = format!("{}/{path}", text(directory)?);
                    }
                    if !path.starts_with('/') {
                        path = format!("{folder}/{path}");
                    }
                    let count = known.len();
                    let file = *known.entry(path.clone()).or_insert(count);
                    if file == self.files.len() {
                        self.files.push(path);
                    }
                    let pc = code_start.saturating_add(u32::try_from(row.address()).unwrap_or(u32::MAX));
                    let line = u32::try_from(line.get()).unwrap_or(u32::MAX);
                    self.points.push(LinePoint { pc, file, line });
                }
            }
        }
        self.points.sort();
        self.points.dedup();
        Ok(())
    }

    /// Returns the function that contains an instruction.
    pub fn function_at(&self, pc: u32) -> Option<&str> {
        let behind = self.functions.partition_point(|(start, _)| *start <= pc);
        self.functions.get(behind.checked_sub(1)?).map(|(_, name)| name.as_str())
    }
}
