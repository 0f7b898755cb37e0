// What the developer sees beside the app: plugins, calls, events, data, invoke, faults, tests.
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { accessible, expect, Host, open, test } from "./host.mjs";

let host;
test.beforeAll(async () => {
  host = await Host.start();
});
test.afterAll(() => host.stop());

test("a package is dropped, runs, is led through its life, and a bad one says why", async ({ page }) => {
  host.run("new", join(host.folder, "erp-notes"), "--template", "pages", "--quiet");
  host.run("-C", join(host.folder, "erp-notes"), "build", "--quiet");
  host.run("-C", join(host.folder, "erp-notes"), "pack", "--quiet");
  const bytes = readFileSync(join(host.folder, "erp-notes/dist/erp-notes-0.1.0.erpx"));
  await open(page, host, "plugins");
  const drop = async (content, name) => {
    const data = await page.evaluateHandle(([text, file]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], file));
      return transfer;
    }, [content.toString("base64"), name]);
    await page.getByTestId("drop").dispatchEvent("drop", { dataTransfer: data });
  };
  await drop(Buffer.from("no package"), "bad.erpx");
  await expect(page.getByRole("alert")).toContainText("too short");
  await drop(bytes, "erp-notes-0.1.0.erpx");
  const line = page.getByRole("row", { name: /erp-notes/ });
  await expect(line).toContainText("运行中");
  await expect(page.locator(".side").getByRole("link", { name: "客户" })).toHaveCount(2);
  await line.getByRole("button", { name: "停用" }).click();
  await expect(line).toContainText("已停用");
  await expect(page.locator(".side").getByRole("link", { name: "客户" })).toHaveCount(1);
  await line.getByRole("button", { name: "启用" }).click();
  await expect(line).toContainText("运行中");
  await line.getByRole("button", { name: "erp-notes" }).click();
  await expect(page.getByRole("dialog")).toContainText("healthy");
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "关闭" }).click();
  await line.getByRole("button", { name: "卸载" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "卸载" }).click();
  await expect(line).toContainText("已卸载");
});

test("a row leads to the call that wrote it, and back", async ({ page }) => {
  const row = await host.row("customer", { name: "历史客户" });
  await host.ask("PATCH", `/api/v1/plugins/erp-desk/customer/${row.id}`, { data: { phone: "123" }, version: 1 });
  await open(page, host, `data/erp-desk/customer/${row.id}`);
  await expect(page.locator(".history li")).toHaveCount(2);
  await page.locator(".history li").first().getByRole("link").click();
  await expect(page.getByRole("heading", { name: new RegExp(`PATCH .*${row.id}`) })).toBeVisible();
  await expect(page.locator(".change")).toContainText("123");
  await accessible(page);
});

test("any statement that reads is answered, and one that writes is not", async ({ page }) => {
  await open(page, host, "data");
  await page.getByLabel("SQL").fill("select name from customer order by name limit 1");
  await page.getByRole("button", { name: "运行" }).click();
  await expect(page.getByRole("columnheader", { name: "name" })).toBeVisible();
  await page.getByLabel("SQL").fill("delete from erp_audit");
  await page.getByRole("button", { name: "运行" }).click();
  await expect(page.getByRole("alert")).toContainText("only rows are read");
});

test("events of the platform's own modules are told and seen", async ({ page }) => {
  await open(page, host, "events");
  await page.getByLabel("名称").fill("department.created");
  await expect(page.getByLabel("内容").first()).toHaveValue(/department_id/);
  await page.getByRole("button", { name: "发布", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("event.unheard");
  await accessible(page);
  await page.getByRole("button", { name: "仍要发布" }).click();
  await expect(page.locator(".event-list")).toContainText("department.created");
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a tenant is created and removed while the plugins run", async ({ page }) => {
  await open(page, host, "tenants");
  await page.getByLabel("名称").fill("北京");
  await page.getByRole("button", { name: "创建" }).click();
  await expect(page.locator(".toasts")).toContainText("a-z0-9");
  await page.getByLabel("名称").fill("initech");
  await page.getByRole("button", { name: "创建" }).click();
  const line = page.getByRole("row", { name: /initech/ });
  await expect(line).toContainText("admin@initech");
  await page.getByLabel("租户", { exact: true }).first().selectOption("initech");
  await expect(page.getByLabel("用户", { exact: true })).toHaveValue("admin@initech");
  await accessible(page);
  await line.getByRole("button", { name: "移除" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "移除" }).click();
  await expect(line).toHaveCount(0);
  await expect(page.getByLabel("用户", { exact: true })).toHaveValue("admin@acme");
});

test("exports are called, the clock is moved, faults are injected and taken away", async ({ page }) => {
  await open(page, host, "invoke");
  await expect(page.getByLabel("导出函数")).toHaveValue("base.init");
  await page.getByRole("button", { name: "调用", exact: true }).click();
  await expect(page.getByRole("status").filter({ hasText: "结果" })).toBeVisible();

  await page.evaluate(() => { location.hash = "#/faults"; });
  await page.getByRole("button", { name: "+ 1d" }).click();
  await expect(page.getByText("+1440 min")).toBeVisible();
  await page.getByRole("button", { name: "恢复当前时间" }).click();
  await expect(page.getByText("+1440 min")).toHaveCount(0);
  await page.getByRole("button", { name: "注入" }).click();
  await expect(page.locator(".fault-list")).toContainText("db.insert");
  await page.getByRole("button", { name: "全部清除" }).click();
  await expect(page.locator(".fault-list")).toHaveCount(0);
});

test("the scenarios run, and a failing one shows why", async ({ page }) => {
  await open(page, host, "tests");
  await page.getByRole("button", { name: "运行" }).click();
  await expect(page.getByText("通过 2，失败 0")).toBeVisible({ timeout: 30_000 });
  host.edit("tests/tickets.test.toml", 'amount = "300.00"', 'amount = "301.00"');
  await page.getByRole("button", { name: "运行" }).click();
  await expect(page.getByText("通过 1，失败 1")).toBeVisible({ timeout: 30_000 });
  await expect(page.locator("details.case[open]")).toContainText(/301/);
});
