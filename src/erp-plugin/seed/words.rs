//! The parts of names of people, companies, goods and places.

use erp_runtime::Random;

const SURNAMES: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马",
    "罗", "梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾",
    "彭", "吕", "欧阳", "上官",
];
const GIVEN: &[&str] = &[
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "秀英", "霞",
    "平", "刚", "桂英", "子涵", "浩然", "欣怡", "梓萱", "宇轩", "思远", "雨桐", "嘉豪", "晓东", "建国", "海燕", "志强",
    "文博", "若曦",
];
const PLACES: &[(&str, &str, &[&str])] = &[
    ("上海市", "021", &["浦东新区", "徐汇区", "闵行区", "嘉定区"]),
    ("北京市", "010", &["海淀区", "朝阳区", "丰台区", "大兴区"]),
    ("广东省深圳市", "0755", &["南山区", "宝安区", "龙岗区", "福田区"]),
    ("广东省广州市", "020", &["天河区", "番禺区", "白云区"]),
    ("浙江省杭州市", "0571", &["西湖区", "滨江区", "萧山区", "余杭区"]),
    ("江苏省苏州市", "0512", &["工业园区", "吴中区", "昆山市"]),
    ("四川省成都市", "028", &["武侯区", "高新区", "双流区"]),
    ("湖北省武汉市", "027", &["洪山区", "江汉区", "东湖高新区"]),
    ("山东省青岛市", "0532", &["市南区", "黄岛区", "城阳区"]),
    ("陕西省西安市", "029", &["雁塔区", "未央区", "长安区"]),
];
const STREETS: &[&str] = &[
    "人民路",
    "中山路",
    "解放大道",
    "建设路",
    "科技园路",
    "创新大道",
    "长江路",
    "和平街",
    "工业大道",
    "文化路",
    "滨河路",
    "新华街",
];
const COMPANY_NAMES: &[&str] = &[
    "恒达", "鑫源", "华盛", "瑞丰", "天成", "博远", "宏泰", "中正", "佳信", "永兴", "金泽", "东方", "海纳", "卓越",
    "盛世", "德邦", "启明", "汇通", "联创", "万里", "锦程", "安泰", "嘉禾", "龙腾",
];
const COMPANY_TRADES: &[&str] = &[
    "机械制造",
    "电子科技",
    "贸易",
    "信息技术",
    "建材",
    "五金",
    "化工",
    "物流",
    "食品",
    "医疗器械",
    "纺织",
    "新能源",
    "汽车零部件",
    "包装材料",
];
const COMPANY_FORMS: &[&str] = &["有限公司", "有限公司", "有限公司", "股份有限公司", "有限责任公司"];
const GOODS: &[(&str, &[&str])] = &[
    ("六角螺栓", &["M6×20", "M8×30", "M10×40", "M12×60"]),
    ("不锈钢螺母", &["M6", "M8", "M10", "M12"]),
    ("深沟球轴承", &["6202", "6204", "6206", "6308"]),
    ("铜芯电缆", &["2.5 mm²", "4 mm²", "6 mm²"]),
    ("液压油", &["46# 18L", "68# 18L", "46# 200L"]),
    ("三相电机", &["1.5 kW", "3 kW", "5.5 kW"]),
    ("冷轧钢板", &["1.0 mm", "1.5 mm", "2.0 mm"]),
    ("密封圈", &["DN50", "DN80", "DN100"]),
    ("工业手套", &["M", "L", "XL"]),
    ("包装纸箱", &["40×30×20", "60×40×40"]),
    ("温度传感器", &["PT100", "K 型"]),
    ("PLC 控制器", &["16 点", "32 点"]),
    ("球阀", &["DN15", "DN25", "DN50"]),
    ("激光打印纸", &["A4 70g", "A4 80g"]),
];
const UNITS: &[&str] = &["件", "箱", "个", "台", "千克", "米", "套", "卷"];
const REMARKS: &[&str] = &[
    "客户要求周五前到货",
    "已电话确认",
    "注意防潮",
    "分两批发货",
    "发票随货",
    "替代料已批准",
    "样品,免费",
    "价格含税",
    "加急",
    "送货前请预约",
    "旧系统导入",
    "验收合格",
];
const DEPARTMENTS: &[&str] = &["销售部", "采购部", "仓储部", "生产部", "质检部", "财务部", "行政部", "研发部"];

fn one<'a>(random: &mut Random, among: &'a [&'a str]) -> &'a str {
    random.pick(among).copied().unwrap_or_default()
}

/// The name of a person.
pub(super) fn person(random: &mut Random) -> String {
    format!("{}{}", one(random, SURNAMES), one(random, GIVEN))
}

/// The name of a company, which begins with its city.
pub(super) fn company(random: &mut Random) -> String {
    let place = random.pick(PLACES).map_or("", |place| place.0);
    // 广东省深圳市 → 深圳
    let city = place.rsplit('省').next().unwrap_or(place).trim_end_matches('市');
    let (name, trade) = (one(random, COMPANY_NAMES), one(random, COMPANY_TRADES));
    format!("{city}{name}{trade}{}", one(random, COMPANY_FORMS))
}

/// The name of a product, with its size.
pub(super) fn goods(random: &mut Random) -> String {
    let Some((name, sizes)) = random.pick(GOODS) else { return String::new() };
    format!("{name} {}", one(random, sizes))
}

/// An address.
pub(super) fn address(random: &mut Random) -> String {
    let Some((place, _, districts)) = random.pick(PLACES) else { return String::new() };
    let (district, street) = (one(random, districts), one(random, STREETS));
    format!("{place}{district}{street}{}号{}室", random.between(1, 999), random.between(101, 2_800))
}

/// The name of a city.
pub(super) fn city(random: &mut Random) -> String {
    let place = random.pick(PLACES).map_or("", |place| place.0);
    place.rsplit('省').next().unwrap_or(place).to_owned()
}

/// A telephone number that no person has: the block `0000` after the prefix is not assigned.
pub(super) fn phone(random: &mut Random) -> String {
    let prefix = one(random, &["130", "138", "150", "158", "186", "199"]);
    format!("{prefix}0000{:04}", random.below(10_000))
}

/// A code of 18 characters in the form of a company's credit code: digits and capitals without I, O, S, V and Z.
pub(super) fn credit_code(random: &mut Random) -> String {
    const SIGNS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut code = "91".to_owned();
    code.push_str(&format!("{:06}", random.below(1_000_000)));
    for _ in 0..10 {
        code.push(char::from(random.pick(SIGNS).copied().unwrap_or(b'0')));
    }
    code
}

/// An e-mail address at `example.com`, which is reserved.
pub(super) fn email(random: &mut Random) -> String {
    let name = one(random, &["sales", "info", "wang", "li", "chen", "office", "purchase", "zhang"]);
    format!("{name}{}@example.com", random.below(100_000))
}

/// A unit of quantity.
pub(super) fn unit(random: &mut Random) -> String {
    one(random, UNITS).to_owned()
}

/// The name of a department.
pub(super) fn department(random: &mut Random) -> String {
    one(random, DEPARTMENTS).to_owned()
}

/// A short remark.
pub(super) fn remark(random: &mut Random) -> String {
    one(random, REMARKS).to_owned()
}
