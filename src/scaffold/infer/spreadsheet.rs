//! Tables of CSV files and of workbooks.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};

use super::Table;

/// The table of a CSV file in UTF-8; a comma, a semicolon or a tab parts its columns.
pub(super) fn csv(name: &str, bytes: &[u8]) -> Result<Table, String> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8: save it as CSV in UTF-8".to_owned())?;
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [',', ';', '\t'].into_iter().max_by_key(|mark| first.matches(*mark).count()).unwrap_or(',');
    let mut reader = csv::ReaderBuilder::new();
    let mut reader =
        reader.flexible(true).delimiter(u8::try_from(delimiter).unwrap_or(b',')).from_reader(text.as_bytes());
    let headers: Vec<String> = reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|record| Ok(record?.iter().map(str::to_owned).collect()));
    let rows = rows.collect::<Result<Vec<Vec<String>>, csv::Error>>().map_err(|error| error.to_string())?;
    if let Some(line) = rows.iter().position(|row| row.len() > headers.len()) {
        return Err(format!("row {} has more cells than there are headers", line + 2));
    }
    Ok(Table { name: name.to_owned(), headers, rows })
}

/// The sheets of a workbook; the first row that is not empty holds the headers.
pub(super) fn xlsx(bytes: &[u8]) -> Result<Vec<Table>, String> {
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut tables = Vec::new();
    for name in workbook.sheet_names() {
        let range = workbook.worksheet_range(&name).map_err(|error| error.to_string())?;
        let mut rows = range
            .rows()
            .map(|row| row.iter().map(text).collect::<Vec<String>>())
            .filter(|row| row.iter().any(|cell| !cell.is_empty()));
        let Some(headers) = rows.next() else { continue };
        tables.push(Table { name, headers, rows: rows.collect() });
    }
    Ok(tables)
}

/// A cell as somebody would write it in CSV.
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
