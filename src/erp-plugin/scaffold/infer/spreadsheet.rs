//! Reads tables of CSV files and of workbooks.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xlsx};
use zip::ZipArchive;

use super::{DataTable, MAX_CELLS, count_cells};

/// The most bytes that a workbook may unpack to.
const MAX_UNPACKED: u64 = 48 << 20;

/// Reads a CSV file in UTF-8. The separator is the most frequent one of comma, semicolon and tab in the first line.
pub(super) fn csv(name: &str, bytes: &[u8]) -> Result<DataTable, String> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8: save it as CSV in UTF-8".to_owned())?;
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [',', ';', '\t'].into_iter().max_by_key(|mark| first.matches(*mark).count()).unwrap_or(',');
    let mut reader = csv::ReaderBuilder::new();
    let mut reader =
        reader.flexible(true).delimiter(u8::try_from(delimiter).unwrap_or(b',')).from_reader(text.as_bytes());
    let headers: Vec<String> = reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
    let (mut rows, mut cells): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        count_cells(&mut cells, record.len())?;
        rows.push(record.iter().map(str::to_owned).collect());
    }
    if let Some(line) = rows.iter().position(|row| row.len() > headers.len()) {
        return Err(format!("row {} has more cells than there are headers", line + 2));
    }
    Ok(DataTable { name: name.to_owned(), headers, rows })
}

/// Reads the sheets of a workbook; the first row that is not empty contains the headers.
pub(super) fn xlsx(bytes: &[u8]) -> Result<Vec<DataTable>, String> {
    bound(bytes)?;
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let (mut tables, mut cells) = (Vec::new(), 0);
    for name in workbook.sheet_names() {
        // Cell by cell: a sheet of two cells may declare a thousand million.
        let mut reader = workbook.worksheet_cells_reader(&name).map_err(|error| error.to_string())?;
        let mut found: BTreeMap<u32, BTreeMap<u32, String>> = BTreeMap::new();
        while let Some(cell) = reader.next_cell().map_err(|error| error.to_string())? {
            let text = text(&Data::from(cell.get_value().clone()));
            if !text.is_empty() {
                count_cells(&mut cells, 1)?;
                let (row, column) = cell.get_position();
                found.entry(row).or_default().insert(column, text);
            }
        }
        let columns = || found.values().flat_map(BTreeMap::keys);
        let (Some(first), Some(last)) = (columns().min().copied(), columns().max().copied()) else { continue };
        let mut rows: Vec<Vec<String>> = Vec::with_capacity(found.len());
        for mut row in found.into_values() {
            count_cells(&mut cells, (last - first) as usize + 1)?;
            rows.push((first..=last).map(|column| row.remove(&column).unwrap_or_default()).collect());
        }
        let headers = rows.remove(0);
        tables.push(DataTable { name, headers, rows });
    }
    Ok(tables)
}

/// Refuses a workbook that would unpack to too many bytes, or declares too many texts.
fn bound(bytes: &[u8]) -> Result<(), String> {
    let unreadable = |error: &dyn std::fmt::Display| error.to_string();
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).map_err(|error| unreadable(&error))?.take(left + 1);
        // The declared size of a part is not trusted.
        let mut content = Vec::new();
        part.read_to_end(&mut content).map_err(|error| unreadable(&error))?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| format!("it unpacks to more than {} MB: take a part of it", MAX_UNPACKED >> 20))?;
        if promised_texts(&content).is_some_and(|texts| texts > MAX_CELLS as u64) {
            return Err(format!("it says that it has more than {MAX_CELLS} texts"));
        }
    }
    Ok(())
}

/// The largest number of texts that a part of a workbook declares: a reader reserves memory for them at once.
fn promised_texts(content: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"uniqueCount";
    let places = (0..content.len().saturating_sub(NAME.len())).filter(|at| content[*at..].starts_with(NAME));
    let number = |at: usize| {
        let digits = content[at + NAME.len()..].iter().skip_while(|byte| b" \t\r\n='\"+".contains(byte));
        digits
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    };
    places.map(number).max()
}

/// The text of a cell, as people would write it in CSV.
fn text(cell: &Data) -> String {
    match cell {
        Data::DateTime(moment) => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            if (hour, minute, second) == (0, 0, 0) {
                format!("{year:04}-{month:02}-{day:02}")
            } else {
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
            }
        }
        Data::DateTimeIso(text) => text.clone(),
        Data::Error(_) => String::new(),
        other => other.to_string().trim().to_owned(),
    }
}
