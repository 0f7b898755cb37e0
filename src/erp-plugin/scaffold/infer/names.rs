//! Converts headers of data to names of a manifest.

use std::collections::BTreeSet;

/// Fields that the host adds to every row: columns with these names are left out.
const THE_HOSTS: [&str; 8] =
    ["id", "tenant_id", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "version"];
/// Names that the host reserves, but that data may contain.
const TAKEN: [&str; 2] = ["data", "pages"];

/// Words of headers; where one begins another, the longer one comes first.
const WORDS: &[(&str, &str)] = &[
    ("供应商", "supplier"),
    ("联系人", "contact"),
    ("手机号", "phone"),
    ("负责人", "owner"),
    ("身份证", "id_card"),
    ("客户", "customer"),
    ("商品", "product"),
    ("产品", "product"),
    ("物料", "material"),
    ("订单", "order"),
    ("采购", "purchase"),
    ("销售", "sales"),
    ("合同", "contract"),
    ("发票", "invoice"),
    ("仓库", "warehouse"),
    ("库存", "stock"),
    ("员工", "employee"),
    ("部门", "department"),
    ("项目", "project"),
    ("任务", "task"),
    ("资产", "asset"),
    ("设备", "device"),
    ("车辆", "vehicle"),
    ("公司", "company"),
    ("单位", "unit"),
    ("编号", "code"),
    ("编码", "code"),
    ("代码", "code"),
    ("单号", "number"),
    ("名称", "name"),
    ("姓名", "name"),
    ("标题", "title"),
    ("类型", "type"),
    ("类别", "category"),
    ("分类", "category"),
    ("等级", "level"),
    ("级别", "level"),
    ("状态", "status"),
    ("数量", "quantity"),
    ("单价", "unit_price"),
    ("价格", "price"),
    ("金额", "amount"),
    ("额度", "amount"),
    ("总额", "total"),
    ("合计", "total"),
    ("成本", "cost"),
    ("费用", "cost"),
    ("税率", "tax_rate"),
    ("折扣", "discount"),
    ("信用", "credit"),
    ("日期", "date"),
    ("时间", "time"),
    ("成立", "founded"),
    ("开始", "start"),
    ("结束", "end"),
    ("到期", "due"),
    ("生日", "birthday"),
    ("性别", "gender"),
    ("年龄", "age"),
    ("电话", "phone"),
    ("手机", "phone"),
    ("邮箱", "email"),
    ("邮件", "email"),
    ("地址", "address"),
    ("城市", "city"),
    ("省份", "province"),
    ("国家", "country"),
    ("邮编", "postcode"),
    ("网址", "website"),
    ("备注", "note"),
    ("说明", "description"),
    ("描述", "description"),
    ("规格", "spec"),
    ("型号", "model"),
    ("品牌", "brand"),
    ("颜色", "color"),
    ("重量", "weight"),
    ("图片", "picture"),
    ("附件", "attachment"),
    ("是否", "is"),
    ("启用", "enabled"),
    ("行业", "industry"),
    ("来源", "source"),
    ("职位", "position"),
    ("工号", "employee_code"),
    ("明细", "line"),
    ("银行", "bank"),
    ("账号", "account"),
    ("税号", "tax_number"),
    ("号", "number"),
    ("表", ""),
    ("单", ""),
];

/// True for a column that the host adds to every row.
pub(super) fn is_the_hosts(header: &str) -> bool {
    THE_HOSTS.contains(&identifier(header, "field").as_str())
}

/// The name of a field.
pub(super) fn field(header: &str) -> String {
    let name = identifier(header, "field");
    if TAKEN.contains(&name.as_str()) { format!("{name}_value") } else { name }
}

/// The name of an entity, in the singular.
pub(super) fn entity(name: &str) -> String {
    let name = identifier(name, "entity");
    let singular = match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => match name.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with(['s', 'u', 'i'])) {
            Some(stem) => stem.to_owned(),
            None => name,
        },
    };
    if TAKEN.contains(&singular.as_str()) { format!("{singular}_row") } else { singular }
}

/// Lower-case words joined by `_`: `客户编号` → `customer_code`, `fullName` → `full_name`. A text without such words
/// becomes `fallback`.
pub(super) fn identifier(text: &str, fallback: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut rest = text.trim();
    while let Some(character) = rest.chars().next() {
        if let Some((chinese, english)) = WORDS.iter().find(|(chinese, _)| rest.starts_with(chinese)) {
            words.push(std::mem::take(&mut word));
            words.push((*english).to_owned());
            rest = &rest[chinese.len()..];
            continue;
        }
        if character.is_ascii_alphanumeric() {
            let begins = character.is_ascii_uppercase() && word.ends_with(|last: char| !last.is_ascii_uppercase());
            if begins {
                words.push(std::mem::take(&mut word));
            }
            word.push(character);
        } else {
            words.push(std::mem::take(&mut word));
        }
        rest = &rest[character.len_utf8()..];
    }
    words.push(word);
    let mut said: Vec<String> = Vec::new();
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        // The name of `客户客户名称` contains the word once.
        if said.last() != Some(&word) {
            said.push(word);
        }
    }
    let name = said.join("_");
    let name = if name.starts_with(|first: char| first.is_ascii_digit()) { format!("n{name}") } else { name };
    let name: String = name.chars().take(40).collect();
    if name.is_empty() { fallback.to_owned() } else { name.trim_end_matches('_').to_owned() }
}

/// Makes names unique: a repeated name gets a number at its end.
pub(super) fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    names
        .map(|name| {
            let free = (1..).map(|number| if number == 1 { name.clone() } else { format!("{name}_{number}") });
            let free = free.into_iter().find(|name| !taken.contains(name)).unwrap_or(name);
            taken.insert(free.clone());
            free
        })
        .collect()
}
