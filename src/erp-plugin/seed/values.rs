//! A value for a field: by its type, its bounds, its name and its label.

use erp_manifest::pattern::Pattern;
use erp_manifest::{Entity, Field, FieldType, Moment, Validation};
use erp_runtime::Random;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::words;

const DAY_MS: i64 = 86_400_000;

/// The inputs for making a value.
pub(super) struct Maker<'m> {
    pub(super) random: &'m mut Random,
    pub(super) entity: &'m Entity,
    /// From 1, counted over all rows of the entity.
    pub(super) serial: u64,
    /// The moment when the row was made.
    pub(super) made_at: Moment,
}

impl Maker<'_> {
    /// A value; none if the field stays empty.
    pub(super) fn value(&mut self, field: &Field) -> Option<Value> {
        let may_be_empty = !field.required && !field.unique && field.default.is_none();
        if may_be_empty && self.random.percent(empty_chance(field)) {
            return None;
        }
        Some(match *field.field_type {
            FieldType::Select => json!(self.option(field)?),
            FieldType::MultiSelect => {
                let first = self.option(field)?;
                match self.option(field).filter(|second| *second != first && self.random.percent(40)) {
                    Some(second) => json!([first, second]),
                    None => json!([first]),
                }
            }
            FieldType::Tags => json!([self.random.pick(&["重点", "加急", "新客户", "老客户", "样品", "出口"])?]),
            FieldType::Boolean => json!(self.random.percent(75)),
            FieldType::Date => json!(self.moment(field).date()),
            FieldType::Datetime => json!(self.moment(field).to_string()),
            FieldType::Time => json!(format!("{:02}:{:02}:00", self.random.between(8, 18), self.random.below(4) * 15)),
            FieldType::Email => json!(words::email(self.random)),
            FieldType::Phone => json!(words::phone(self.random)),
            FieldType::Url => json!(format!("https://www.example.com/{}", self.serial)),
            FieldType::Color => json!(format!("#{:06x}", self.random.below(0x0100_0000))),
            FieldType::Rating => json!(self.whole(field, 1, 5)),
            FieldType::Duration => json!(self.whole(field, 300, 28_800)),
            FieldType::GeoPoint => {
                let part = |random: &mut Random| f64::from(u32::try_from(random.below(90_000)).unwrap_or(0)) / 10_000.0;
                json!({ "lat": 22.0 + part(self.random), "lng": 108.0 + part(self.random) })
            }
            FieldType::Barcode => json!(format!("69{:011}", self.serial)),
            FieldType::Json => json!({ "n": self.random.below(100) }),
            FieldType::Uuid | FieldType::User | FieldType::Department | FieldType::Attachment | FieldType::Image => {
                json!(uuid_of(self.random, self.made_at))
            }
            FieldType::Ref | FieldType::RefMany | FieldType::Autonumber => return None,
            FieldType::Integer | FieldType::Bigint => json!(self.number(field, 0)?),
            FieldType::Float => {
                let hundredths = self.number(field, 2)?;
                json!(hundredths as f64 / 100.0)
            }
            FieldType::Decimal | FieldType::Currency | FieldType::Percent => {
                let scale = field.kept_scale().unwrap_or(2).min(6);
                let number = self.number(field, scale)?;
                json!(rust_decimal::Decimal::new(number, scale).to_string())
            }
            FieldType::String | FieldType::Text | FieldType::RichText | FieldType::Markdown => json!(self.text(field)?),
        })
    }

    fn option(&mut self, field: &Field) -> Option<String> {
        // The first options are the common ones.
        self.random.pick_often(&field.options).map(|option| option.value.clone())
    }

    /// Moments lie around the one when the row was made: due dates after it, other dates before it.
    fn moment(&mut self, field: &Field) -> Moment {
        let name = field.name.as_str();
        let is_ahead =
            ["due", "expire", "expiry", "until", "end", "delivery", "deadline"].iter().any(|word| name.contains(word));
        let is_birth = name.contains("birth");
        let days = match (is_ahead, is_birth) {
            (true, _) => self.random.between(1, 90),
            (_, true) => -self.random.between(20 * 365, 60 * 365),
            _ => -self.random.between(0, 3),
        };
        let quarter_hours = self.random.between(0, 40);
        self.made_at.plus_ms(days * DAY_MS - (days.signum() * quarter_hours * 900_000))
    }

    fn whole(&mut self, field: &Field, least: i64, most: i64) -> i64 {
        let (least, most) = bounds(field.validation.as_ref(), 0, least, most);
        self.random.between(least, most)
    }

    /// A number with `scale` decimal places, in units of the last place.
    fn number(&mut self, field: &Field, scale: u32) -> Option<i64> {
        let name = field.name.as_str();
        let unit = 10_i64.checked_pow(scale)?;
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let (least, most) = match () {
            () if has(&["rate", "percent", "discount"]) || *field.field_type == FieldType::Percent => (0, 30 * unit),
            () if has(&["price", "cost"]) => (unit, 2_000 * unit),
            () if has(&["amount", "total", "sum", "balance"]) => (10 * unit, 100_000 * unit),
            () if has(&["qty", "quantity", "count", "stock"]) => (unit, 500 * unit),
            () if has(&["year"]) => (2_020 * unit, 2_030 * unit),
            () if has(&["sort", "position", "line_no", "sequence"]) => (unit, 20 * unit),
            () => (0, 1_000 * unit),
        };
        let digits =
            field.precision.map_or(i64::MAX, |precision| 10_i64.saturating_pow(precision.min(18)).saturating_sub(1));
        let (least, most) = bounds(field.validation.as_ref(), scale, least, most.min(digits));
        // Small amounts are more common than large ones.
        let (first, second) = (self.random.between(least, most), self.random.between(least, most));
        let number = first.min(second);
        // People use whole quantities and years.
        let round = if scale > 0 && has(&["qty", "quantity", "count", "year"]) { unit } else { 1 };
        Some((number / round * round).max(least))
    }

    fn text(&mut self, field: &Field) -> Option<String> {
        for _ in 0..20 {
            let text = self.plain_text(field);
            let text = if field.unique && !text.contains(&self.serial.to_string()) {
                format!("{text} {}", self.serial)
            } else {
                text
            };
            let text = cut(&text, field.validation.as_ref());
            if fits(&text, field.validation.as_ref()) {
                return Some(text);
            }
        }
        // No word fits the pattern. Most patterns describe codes of letters and digits.
        let serial = self.serial;
        let prefix = self.entity.name.as_str().chars().next().unwrap_or('x').to_ascii_uppercase();
        let candidates = [
            format!("{prefix}-{serial:03}"),
            format!("{prefix}-{serial:05}"),
            format!("{prefix}{serial:04}"),
            format!("{prefix}{prefix}-{serial:04}"),
            format!("{prefix}{prefix}{serial:06}"),
            format!("{serial:04}"),
            format!("{serial:06}"),
            format!("{serial:08}"),
            serial.to_string(),
            words::credit_code(self.random),
            words::phone(self.random),
            format!("{}{serial}", prefix.to_ascii_lowercase()),
        ];
        candidates.into_iter().find(|text| fits(text, field.validation.as_ref()))
    }

    fn plain_text(&mut self, field: &Field) -> String {
        let name = field.name.as_str();
        let label = field.label();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word) || label.contains(word));
        let entity = self.entity.name.as_str();
        let entity_label = self.entity.display_name.as_str();
        let entity_has = |words: &[&str]| words.iter().any(|word| entity.contains(word) || entity_label.contains(word));
        let random = &mut *self.random;
        match () {
            () if has(&["credit_code", "tax_no", "uscc", "税号", "信用代码"]) => words::credit_code(random),
            () if has(&["phone", "mobile", "tel", "电话", "手机"]) => words::phone(random),
            () if has(&["address", "地址"]) => words::address(random),
            () if has(&["city", "城市"]) => words::city(random),
            () if has(&["unit", "单位"]) && !has(&["price", "company"]) => words::unit(random),
            () if has(&["code", "sku", "number", "编码", "编号", "货号"]) || name.ends_with("_no") => {
                let prefix: String = entity.split('_').filter_map(|word| word.chars().next()).collect();
                format!("{}-{:05}", prefix.to_uppercase(), self.serial)
            }
            () if has(&["remark", "note", "memo", "comment", "备注", "说明", "description", "描述"]) => {
                words::remark(random)
            }
            () if has(&["department", "部门"]) => words::department(random),
            () if has(&["customer", "supplier", "vendor", "company", "客户", "供应商", "公司"]) => {
                words::company(random)
            }
            () if has(&["contact", "person", "owner", "manager", "user", "联系人", "负责人", "经办"]) => {
                words::person(random)
            }
            () if entity_has(&["customer", "supplier", "vendor", "company", "client", "客户", "供应商", "公司"])
                && has(&["name", "title", "名称", "名字"]) =>
            {
                words::company(random)
            }
            () if entity_has(&["employee", "person", "contact", "staff", "员工", "联系人"])
                && has(&["name", "title", "姓名", "名字"]) =>
            {
                words::person(random)
            }
            () if entity_has(&["warehouse", "仓库"]) && has(&["name", "名称"]) => {
                format!("{}仓库", words::city(random))
            }
            () if entity_has(&["item", "product", "goods", "material", "part", "物料", "产品", "商品"])
                && has(&["name", "title", "名称"]) =>
            {
                words::goods(random)
            }
            () if has(&["item", "product", "goods", "物料", "产品", "商品"]) => words::goods(random),
            () if matches!(*field.field_type, FieldType::Text | FieldType::RichText | FieldType::Markdown) => {
                format!("{},{}。", words::remark(random), words::remark(random))
            }
            () if has(&["name", "title", "名称"]) => format!("{entity_label} {}", self.serial),
            () => format!("{label} {}", random.between(1, 9_999)),
        }
    }
}

fn empty_chance(field: &Field) -> u64 {
    match field.name.as_str() {
        "name" | "title" | "code" => 0,
        name if name.contains("note") || name.contains("remark") => 60,
        _ => 12,
    }
}

/// The bounds of a field combined with the usual ones, in units of the last place.
fn bounds(validation: Option<&Validation>, scale: u32, least: i64, most: i64) -> (i64, i64) {
    use rust_decimal::prelude::ToPrimitive;
    let bound = |value: &Option<erp_manifest::diagnostics::Spanned<Value>>| {
        let text = value.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))?;
        let number: rust_decimal::Decimal = text.parse().ok()?;
        (number * rust_decimal::Decimal::from(10_i64.checked_pow(scale)?)).to_i64()
    };
    let lower = validation.and_then(|validation| bound(&validation.min));
    let upper = validation.and_then(|validation| bound(&validation.max));
    match (lower, upper) {
        (None, None) => (least, most),
        (Some(lower), None) => (lower.max(least), most.max(lower.saturating_add(most - least))),
        (None, Some(upper)) => (least.min(upper), upper.min(most.max(least))),
        (Some(lower), Some(upper)) => {
            let (low, high) = (lower.max(least), upper.min(most));
            if low <= high { (low, high) } else { (lower, upper) }
        }
    }
}

fn cut(text: &str, validation: Option<&Validation>) -> String {
    let most = validation.and_then(|validation| validation.max_length).and_then(|most| usize::try_from(most).ok());
    most.map_or_else(|| text.to_owned(), |most| text.chars().take(most).collect())
}

fn fits(text: &str, validation: Option<&Validation>) -> bool {
    let Some(validation) = validation else { return true };
    let length = text.chars().count() as u64;
    let pattern = validation.pattern.as_ref().and_then(|pattern| Pattern::parse(pattern).ok());
    validation.min_length.is_none_or(|least| length >= least)
        && validation.max_length.is_none_or(|most| length <= most)
        && pattern.is_none_or(|pattern| pattern.matches(text))
}

/// A UUID of version 7 for a moment.
pub(super) fn uuid_of(random: &mut Random, moment: Moment) -> String {
    let milliseconds = Timestamp::from_millisecond(moment.unix_ms).map_or(0, Timestamp::as_millisecond).unsigned_abs();
    let (first, second) = (random.bits(), random.bits());
    format!(
        "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
        (milliseconds >> 16) & 0xffff_ffff,
        milliseconds & 0xffff,
        first & 0xfff,
        0x8000 | ((first >> 16) & 0x3fff),
        second & 0xffff_ffff_ffff
    )
}
