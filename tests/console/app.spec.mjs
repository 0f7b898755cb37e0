// What users of the plugin see: every type of page, as the manifest declares it.
import { readFileSync } from "node:fs";
import { accessible, expect, Host, open, picture, test } from "./host.mjs";

let host;
const rows = {};

test.beforeAll(async () => {
  host = await Host.start();
  rows.east = await host.row("region", { name: "华东" });
  await host.row("region", { name: "上海", parent_id: rows.east.id });
  rows.haitian = await host.row("customer", { name: "海天机械", level: "a", manager: "李娜", region_id: rows.east.id, phone: "021-5555" });
  rows.yuanfang = await host.row("customer", { name: "远方贸易" });
  rows.contact = await host.row("contact", { customer_id: rows.haitian.id, name: "王芳", email: "wang@example.cn" });
  rows.ticket = await host.row("ticket", { title: "设备检修", customer_id: rows.haitian.id, contact_id: rows.contact.id, hours: "2.5", rate: "120", due_on: "2026-12-01" });
  await host.row("ticket", { title: "发票更正", customer_id: rows.yuanfang.id, status: "doing", hours: "1", rate: "80", due_on: "2026-11-25" });
});
test.afterAll(() => host.stop());

const pages = ["overview", "customers", "tickets", "regions", "contacts_graph", "due"];
const tools = ["plugins", "calls", "events", "data/erp-desk/customer", "invoke", "faults", "tests"];
const everywhere = () => [...pages.map((one) => `app/erp-desk/${one}`), `app/erp-desk/customer_detail/${rows.haitian.id}`, ...tools];

test("every page is accessible, light and dark, and fits a narrow screen", async ({ page }) => {
  // 14 pages in two themes: on a slow machine, axe needs two seconds for each.
  test.setTimeout(240_000);
  await open(page, host);
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    for (const name of everywhere()) {
      await page.evaluate((hash) => { location.hash = hash; }, `#/${name}`);
      await expect(page.locator("main h1")).toBeVisible();
      await expect(page.locator(".skeleton")).toHaveCount(0);
      await accessible(page);
      if (theme === "light") {
        await picture(page, name.replace(/^app\/erp-desk\//, "").split("/")[0]);
        await page.setViewportSize({ width: 360, height: 740 });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(over, `${name} is wider than 360 px`).toBeLessThanOrEqual(0);
        await page.setViewportSize({ width: 1280, height: 800 });
      }
    }
  }
});

test("nothing jumps while a page fills", async ({ page }) => {
  await open(page, host);
  for (const name of everywhere()) {
    await page.evaluate((hash) => { location.hash = hash; }, `#/${name}`);
    await page.reload();
    await expect(page.locator("main h1")).toBeVisible();
    await expect(page.locator(".skeleton")).toHaveCount(0);
    const { shift, moved } = await page.evaluate(() => new Promise((resolve) => {
      new PerformanceObserver((list) => {
        const entries = list.getEntries().filter((entry) => !entry.hadRecentInput);
        const moved = entries.flatMap((entry) => entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 120)));
        resolve({ shift: entries.reduce((sum, entry) => sum + entry.value, 0), moved });
      }).observe({ type: "layout-shift", buffered: true });
      // A page that never moved has no entry, so the observer is not called.
      setTimeout(() => resolve({ shift: 0, moved: [] }), 300);
    }));
    // 0.1 is the limit up to which cumulative layout shift, the usual measure of it, counts as "good".
    expect(shift, `${name} moved: ${moved.join(" | ")}`).toBeLessThan(0.1);
  }
});

test("a row is made, changed and deleted, and conditions hold while one types", async ({ page }) => {
  await open(page, host, "app/erp-desk/customers");
  await page.getByRole("button", { name: "新建" }).click();
  const form = page.getByRole("dialog", { name: "新建客户" });
  await expect(form.getByLabel("合作日期")).toHaveValue(/^\d{4}-\d\d-\d\d$/);
  await expect(form.getByLabel("客户经理")).toHaveCount(0);
  await form.getByLabel("级别").selectOption({ label: "重点" });
  await expect(form.getByLabel("客户经理")).toBeVisible();
  await form.getByLabel("名称").fill("新希望食品");
  await form.getByRole("button", { name: "保存" }).click();
  await expect(form.getByRole("alert").first()).toContainText("is required here");
  await accessible(page);
  await form.getByLabel("客户经理").fill("韩梅");
  await form.getByLabel("地区").fill("华");
  await form.getByRole("option", { name: "华东" }).click();
  await picture(page, "form");
  await form.getByRole("button", { name: "保存" }).click();
  await expect(form).toHaveCount(0);
  const line = page.getByRole("row", { name: /新希望食品/ });
  await expect(line).toContainText("华东");

  await line.getByRole("button", { name: "编辑" }).click();
  const edit = page.getByRole("dialog", { name: "编辑客户" });
  await edit.getByLabel("电话").fill("010-8888");
  await edit.getByRole("button", { name: "保存" }).click();
  await expect(line).toContainText("010-8888");

  await page.getByPlaceholder("搜索").first().fill("新希望");
  await expect(page.getByRole("row")).toHaveCount(2);
  await line.getByRole("button", { name: "删除" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "删除" }).click();
  await expect(page.getByText("没有匹配的记录。")).toBeVisible();
});

test("a form is filled in by keyboard alone", async ({ page }) => {
  await open(page, host, "app/erp-desk/customers");
  await page.getByRole("button", { name: "新建" }).focus();
  await page.keyboard.press("Enter");
  const form = page.getByRole("dialog", { name: "新建客户" });
  await expect(form.getByLabel("合作日期")).not.toHaveValue("");
  await form.getByLabel("名称").focus();
  await page.keyboard.type("键盘客户");
  await form.getByLabel("地区").focus();
  await page.keyboard.press("ArrowDown");
  await expect(form.locator("[role=listbox]:not([hidden]) [role=option]:not([aria-disabled])").first()).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(form.getByLabel("地区")).not.toHaveValue("");
  await form.getByLabel("名称").focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("row", { name: /键盘客户/ })).toBeVisible();
});

test("a reference that hangs on another one offers its rows alone", async ({ page }) => {
  await open(page, host, "app/erp-desk/tickets");
  await page.getByRole("button", { name: "新建" }).click();
  const form = page.getByRole("dialog", { name: "新建工单" });
  await form.getByLabel("联系人").click();
  await expect(form.locator("[role=listbox]:not([hidden])")).toContainText("请先选择上级");
  await form.getByLabel("客户").click();
  await form.getByRole("option", { name: "海天机械" }).click();
  await form.getByLabel("联系人").click();
  await form.getByRole("option", { name: "王芳" }).click();
  await form.getByLabel("标题").fill("培训");
  await form.getByLabel("工时").fill("3");
  await form.getByLabel("单价").fill("100");
  await expect(form.locator("output", { hasText: "300.00" })).toBeVisible();
  await form.getByRole("button", { name: "保存" }).click();
  await expect(page.getByRole("region", { name: "待处理" }).getByText("培训")).toBeVisible();
});

test("rows that belong to a row are made in its form, and saved as what they are", async ({ page }) => {
  await open(page, host, "app/erp-desk/customers");
  await page.getByRole("row", { name: /远方贸易/ }).getByRole("button", { name: "编辑" }).click();
  const form = page.getByRole("dialog", { name: "编辑客户" });
  await form.getByRole("button", { name: "新建" }).click();
  const inner = page.getByRole("dialog", { name: "新建联系人" });
  await inner.getByLabel("姓名").fill("赵六");
  await inner.getByRole("button", { name: "保存" }).click();
  await expect(inner).toHaveCount(0);
  await expect(form.getByRole("row", { name: /赵六/ })).toBeVisible();
  const { items } = await host.ask("GET", `/api/v1/plugins/erp-desk/contact?search=${encodeURIComponent("赵六")}`);
  expect(items.map((row) => row.data.customer_id)).toEqual([rows.yuanfang.id]);
});

test("who types fast chooses what was typed, and a row that somebody else changed is not overwritten", async ({ page }) => {
  await open(page, host, "app/erp-desk/tickets");
  await page.getByRole("button", { name: "新建" }).click();
  const form = page.getByRole("dialog", { name: "新建工单" });
  await form.getByLabel("客户").click();
  await expect(form.getByRole("option", { name: "海天机械" })).toBeVisible();
  await page.keyboard.type("远方");
  await page.keyboard.press("Enter");
  await expect(form.getByRole("option", { name: "海天机械" })).toHaveCount(0);
  await page.keyboard.press("Enter");
  await expect(form.getByLabel("客户")).toHaveValue("远方贸易");
  await page.keyboard.press("Escape");

  const row = await host.row("customer", { name: "争用客户" });
  await page.evaluate(() => { location.hash = "#/app/erp-desk/customers"; });
  await page.getByRole("row", { name: /争用客户/ }).getByRole("button", { name: "编辑" }).click();
  const edit = page.getByRole("dialog", { name: "编辑客户" });
  await edit.getByLabel("电话").fill("111");
  await host.ask("PATCH", `/api/v1/plugins/erp-desk/customer/${row.id}`, { data: { note: "别人写的" }, version: 1 });
  await edit.getByRole("button", { name: "保存" }).click();
  await expect(edit.getByRole("alert")).toContainText("已被他人修改");
  await edit.getByRole("button", { name: "在新版本上保留我的修改" }).click();
  await edit.getByRole("button", { name: "保存" }).click();
  await expect(edit).toHaveCount(0);
  const saved = await host.ask("GET", `/api/v1/plugins/erp-desk/customer/${row.id}`);
  expect([saved.data.phone, saved.data.note]).toEqual(["111", "别人写的"]);
});

test("cards move between lanes, and a rule that forbids it says why", async ({ page }) => {
  await open(page, host, "app/erp-desk/tickets");
  const card = page.getByRole("article", { name: "发票更正" });
  await card.getByRole("combobox").selectOption({ label: "已完成" });
  await expect(page.getByRole("region", { name: "已完成" }).getByRole("article", { name: "发票更正" })).toBeVisible();
  await host.row("ticket", { title: "没有工时", customer_id: rows.haitian.id });
  await page.getByRole("article", { name: "没有工时" }).getByRole("combobox").selectOption({ label: "已完成" });
  await expect(page.getByRole("status").filter({ hasText: "完成的工单必须填写工时" })).toBeVisible();
  await page.getByRole("tab", { name: "列表" }).click();
  await expect(page.getByRole("row", { name: /发票更正/ })).toContainText("已完成");
});

test("trees, details, graphs and figures show their rows", async ({ page }) => {
  await open(page, host, "app/erp-desk/regions");
  await page.getByRole("button", { name: "在华东下新建" }).click();
  await page.getByRole("dialog").getByLabel("名称").fill("杭州");
  await page.getByRole("dialog").getByRole("button", { name: "保存" }).click();
  await expect(page.locator(".tree li li").filter({ hasText: "杭州" })).toBeVisible();

  await page.evaluate(() => { location.hash = "#/app/erp-desk/customers"; });
  await page.getByRole("cell", { name: "海天机械" }).click();
  await expect(page.getByRole("heading", { name: "海天机械" })).toBeVisible();
  await expect(page.getByRole("row", { name: /王芳/ }).first()).toBeVisible();
  await expect(page.getByRole("row", { name: /设备检修/ })).toBeVisible();

  await page.evaluate(() => { location.hash = "#/app/erp-desk/contacts_graph"; });
  await expect(page.getByRole("img", { name: "工单关系" })).toContainText("王芳");
  await page.evaluate(() => { location.hash = "#/app/erp-desk/overview"; });
  await expect(page.locator(".widget").filter({ hasText: "工单金额" }).locator(".stat")).toHaveText(/^\d+\.\d\d$/);
});

test.describe("frames", () => {
test.use({ forgiven: /Content Security Policy/ });
test("a page of the plugin's own asks for rows from its frame, and can do nothing else", async ({ page }) => {
  await open(page, host, "app/erp-desk/due");
  const frame = page.frameLocator("iframe.custom");
  await expect(frame.getByText("设备检修")).toBeVisible();
  const inside = page.frames().find((one) => one.url().includes("/_frame/"));
  const tried = await inside.evaluate(async () => {
    const reached = await fetch("/health").then(() => true, () => false);
    let stored = true;
    try { localStorage.getItem("x"); } catch { stored = false; }
    return { reached, stored };
  });
  expect(tried).toEqual({ reached: false, stored: false });
});
});

test("rows come in from a file, and those that cannot are named", async ({ page }) => {
  await open(page, host, "app/erp-desk/customers");
  await page.getByRole("button", { name: "导入" }).click();
  const dialog = page.getByRole("dialog");
  const text = "名称,级别,电话\n甲公司,普通,1\n海天机械,普通,2\n乙公司,不存在,3\n";
  await dialog.getByLabel("文件").setInputFiles({ name: "c.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
  await expect(dialog.getByRole("status")).toContainText("可导入 1 条");
  await expect(dialog.getByRole("listitem")).toHaveCount(2);
  await dialog.getByRole("button", { name: "导入 1 条" }).click();
  await expect(dialog.getByRole("status")).toContainText("已导入 1 条");
  await dialog.getByRole("button", { name: "关闭" }).last().click();
  await expect(page.getByRole("row", { name: /甲公司/ })).toBeVisible();
  // A filter that was reset filters nothing.
  await page.getByLabel("级别").first().selectOption({ label: "重点" });
  await page.getByLabel("级别").first().selectOption({ label: "全部" });
  await expect(page.getByRole("row", { name: /甲公司/ })).toBeVisible();
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "导出" }).click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toBe("customer.csv");
  const written = readFileSync(await saved.path(), "utf8");
  expect(written).toMatch(/^\ufeff?id,code,name,/);
  expect(written).toContain("甲公司");
});

test("another tenant sees nothing of it, and another role no more than it may", async ({ page }) => {
  await open(page, host, "app/erp-desk/customers");
  await expect(page.getByRole("row", { name: /海天机械/ })).toBeVisible();
  await page.getByLabel("租户").selectOption("globex");
  await expect(page.getByText("暂无数据。")).toBeVisible();
  await page.getByLabel("租户").selectOption("acme");
  await page.getByLabel("用户", { exact: true }).selectOption({ label: "viewer" });
  await expect(page.getByRole("alert").first()).toContainText("auth.denied");
  await page.getByRole("button", { name: "角色" }).click();
  await page.getByLabel("权限").fill("customer.list");
  await page.getByRole("button", { name: "保存" }).click();
  await expect(page.getByRole("row", { name: /海天机械/ })).toBeVisible();
  await expect(page.getByRole("button", { name: "新建" })).toHaveCount(0);
  await page.getByLabel("语言").selectOption({ label: "English" });
  await expect(page.getByRole("heading", { name: "Customers" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Phone" })).toBeVisible();
});

test("a stranger without a token sees nothing", async ({ page }) => {
  await page.goto(host.hello.url);
  await expect(page.getByLabel("Token")).toBeVisible();
  await accessible(page);
  await page.getByLabel("Token").fill("dev_wrong");
  await page.getByRole("button", { name: "OK" }).click();
  await expect(page.getByRole("alert")).toContainText("auth.invalid");
});

test("the console weighs little and is there at once", async ({ page }) => {
  const asked = [];
  page.on("response", (response) => {
    if (/\/console\/|\/$/.test(new URL(response.url()).pathname)) asked.push(response.request());
  });
  await open(page, host);
  await expect.poll(() => asked.length).toBeGreaterThan(8);
  // The responses so far: the size of a response is known once all of it has arrived.
  const sizes = await Promise.all(asked.map((request) => request.sizes()));
  const bytes = sizes.reduce((sum, size) => sum + size.responseBodySize, 0);
  const waits = asked.map((request) => request.timing()).map((timing) => timing.responseStart - timing.requestStart);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(150_000);
  test.info().annotations.push({ type: "figures", description: `${bytes} bytes, first byte after ${Math.min(...waits).toFixed(1)} ms at best` });
});
