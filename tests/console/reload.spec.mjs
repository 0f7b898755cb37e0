// What a developer changes, and how a page that stays open follows.
import { accessible, expect, Host, open, picture, test } from "./host.mjs";

test.describe("a plugin without code", () => {
  let host;
  test.beforeAll(async () => {
    host = await Host.start();
  });
  test.afterAll(() => host.stop());

  test("an edit of the manifest is on the page without a reload", async ({ page }) => {
    await open(page, host, "app/erp-desk/customers");
    await expect(page.getByRole("columnheader", { name: "电话" })).toBeVisible();
    await page.evaluate(() => { window.isStillHere = true; });
    host.edit("plugin.toml", 'display_name = "电话"', 'display_name = "联系电话"');
    await expect(page.getByRole("columnheader", { name: "联系电话" })).toBeVisible();
    await expect(page.getByTestId("stage")).toContainText("#2");
    expect(await page.evaluate(() => window.isStillHere)).toBe(true);
  });

  test("a generation is put back, and a page of the plugin's own follows its file", async ({ page }) => {
    await open(page, host, "plugins");
    await page.getByRole("listitem").filter({ hasText: "#1" }).getByRole("button", { name: "切换到此代" }).click();
    await expect(page.getByRole("listitem").filter({ hasText: "#1" })).toContainText("服务中");
    await page.evaluate(() => { location.hash = "#/app/erp-desk/due"; });
    const frame = page.frameLocator("iframe.custom");
    await expect(frame.getByRole("heading", { name: "到期提醒" })).toBeVisible();
    host.edit("pages/due.html", "<h1>到期提醒</h1>", "<h1>快到期了</h1>");
    await expect(frame.getByRole("heading", { name: "快到期了" })).toBeVisible();
  });

  test("a new field is migrated live, and rows stay", async ({ page }) => {
    await host.row("customer", { name: "留下的客户" });
    await open(page, host, "app/erp-desk/customers");
    host.edit("plugin.toml", 'name = "phone"\n', 'name = "fax"\nfield_type = "phone"\ndisplay_name = "传真"\n\n[[schema.entities.fields]]\nname = "phone"\n');
    host.edit("plugin.toml", 'columns = ["code", "name", "level", "region_id", "phone"', 'columns = ["code", "name", "fax", "level", "region_id", "phone"');
    await expect(page.getByRole("columnheader", { name: "传真" })).toBeVisible();
    await expect(page.getByRole("row", { name: /留下的客户/ })).toBeVisible();
  });

  test("a broken manifest says where, and the last good version serves on", async ({ page }) => {
    await open(page, host, "app/erp-desk/customers");
    const good = host.read("plugin.toml");
    host.write("plugin.toml", good.replace('field_type = "phone"', 'field_type = "fone"'));
    await expect(page.getByTestId("banner")).toContainText("plugin.toml:");
    await expect(page.getByTestId("banner")).toContainText("phone");
    await accessible(page);
    await picture(page, "banner");
    await expect(page.getByRole("columnheader", { name: "名称" })).toBeVisible();
    host.write("plugin.toml", good);
    await expect(page.getByTestId("banner")).toHaveCount(0);
  });

  test("rows that would be lost are asked about", async ({ page }) => {
    await host.row("customer", { name: "有电话的客户", phone: "021" });
    await open(page, host, "app/erp-desk/customers");
    const good = host.read("plugin.toml");
    host.write("plugin.toml", good.replace(/name = "phone"\nfield_type = "phone"/, 'name = "phone"\nfield_type = "date"'));
    await expect(page.getByTestId("stage")).toContainText("待确认");
    await expect(page.getByTestId("banner")).toContainText("021");
    await expect(page.getByRole("row", { name: /有电话的客户/ })).toBeVisible();
    await page.getByRole("button", { name: "放弃数据" }).click();
    await expect(page.getByTestId("banner")).toHaveCount(0);
    await expect(page.getByText("暂无数据。")).toBeVisible();
  });
});

test.describe("a plugin in Rust", () => {
  let host;
  test.beforeAll(async () => {
    test.setTimeout(300_000);
    host = await Host.start({
      template: "inventory", id: "erp-stock",
      prepare: (own) => own.run("-C", own.project, "build", "--quiet"),
    });
  });
  test.afterAll(() => host.stop());

  test("a failing build is a banner, a trap shows its line, and both are mended by the next edit", async ({ page }) => {
    test.setTimeout(240_000);
    const order = await host.row("purchase_order", { supplier: "甲" });
    await open(page, host, "app/erp-stock/orders");
    await page.evaluate(() => { window.isStillHere = true; });
    const line = page.getByRole("row", { name: /甲/ });
    await expect(line).toBeVisible();

    host.edit("src/lib.rs", "let order = PurchaseOrder::get(&id)?;", "let order = PurchaseOrder::get(&id)?; let broken: u8 = order;");
    await expect(page.getByTestId("banner")).toContainText("mismatched types", { timeout: 90_000 });
    await picture(page, "failing-build");
    await expect(line).toBeVisible();

    host.edit("src/lib.rs", "let broken: u8 = order;", 'if order.supplier == "甲" { panic!("供应商不对"); }');
    await expect(page.getByTestId("banner")).toHaveCount(0, { timeout: 90_000 });
    await line.getByRole("button", { name: "审核" }).click();
    await expect(page.getByRole("status").filter({ hasText: "供应商不对" })).toBeVisible();
    await page.evaluate(() => { location.hash = "#/calls"; });
    await page.getByRole("link", { name: /action approve/ }).first().click();
    await expect(page.getByRole("alert").filter({ hasText: "供应商不对" })).toBeVisible();
    await expect(page.getByTestId("source")).toContainText("panic!");
    await accessible(page);
    await picture(page, "trap");

    await page.getByRole("button", { name: "重放" }).click();
    await expect(page.getByRole("status").filter({ hasText: "结果一致" })).toBeVisible();
    expect(await page.evaluate(() => window.isStillHere)).toBe(true);
    expect(order.version).toBe(1);
  });

  test("a call becomes a scenario that passes", async ({ page }) => {
    test.setTimeout(120_000);
    const item = await host.row("inventory_item", { sku: "A-1", name: "螺丝" });
    const order = await host.row("purchase_order", { supplier: "乙" });
    await host.row("purchase_line", { order_id: order.id, item_id: item.id, quantity: 5 });
    await open(page, host, "app/erp-stock/orders");
    await page.getByRole("row", { name: /乙/ }).getByRole("button", { name: "审核" }).click();
    await expect(page.getByRole("row", { name: /乙/ })).toContainText("已入库");
    await page.evaluate(() => { location.hash = "#/calls"; });
    await page.getByRole("listitem").filter({ hasText: "action approve" }).first().getByRole("checkbox").check();
    await page.getByRole("button", { name: "生成测试场景" }).click();
    await expect(page.locator(".code")).toContainText("[[test]]");
    await page.getByRole("button", { name: "写入 tests/" }).click();
    await expect(page.getByRole("button", { name: /tests\/.*\.test\.toml/ })).toBeVisible();
  });
});
