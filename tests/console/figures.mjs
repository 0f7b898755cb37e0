// Measures how soon a change is visible, with a release build: `node figures.mjs` prints a table for
// docs/benchmarks.md.
import { execFileSync } from "node:child_process";
import { cpSync } from "node:fs";
import { resolve } from "node:path";
import { chromium } from "@playwright/test";

process.env.ERP_PLUGIN_TEST_PROGRAM ??= resolve(import.meta.dirname, "../../target/release/erp-plugin");
const { Host } = await import("./host.mjs");
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const executablePath = process.env.ERP_PLUGIN_TEST_CHROMIUM ?? "/usr/bin/chromium";

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ locale: "zh-CN" });
console.log("| what | median of | time |\n|---|---|---|");
{
  const host = await Host.start();
  await page.goto(host.hello.console);
  await page.locator(".side a").first().waitFor();
  await page.evaluate(() => { location.hash = "#/app/erp-desk/customers"; });
  let name = "电话";
  await page.getByRole("columnheader", { name }).waitFor();
  const times = [];
  for (let turn = 0; turn < 15; turn++) {
    const next = `电话${turn}`;
    // The page itself detects the new label; the clock is this process's.
    const seen = page.waitForFunction((label) => [...document.querySelectorAll("th")].some((cell) => cell.textContent.trim() === label), next, { polling: "raf" });
    const began = performance.now();
    host.edit("plugin.toml", `display_name = "${name}"`, `display_name = "${next}"`);
    await seen;
    times.push(performance.now() - began);
    name = next;
  }
  console.log(`| edit of plugin.toml to the new page in the browser | 15 | ${median(times).toFixed(0)} ms (at most ${Math.max(...times).toFixed(0)}) |`);
  await host.stop();
}
{
  const build = (own) => own.run("-C", own.project, "build", "--quiet");
  const host = await Host.start({ template: "inventory", id: "erp-stock", prepare: build });
  // A copy of the project, which cargo alone builds after the same edits.
  const twin = new Host();
  Object.assign(twin, { folder: host.folder, project: `${host.project}-alone` });
  cpSync(host.project, twin.project, { recursive: true });
  const alone = { ...host.environment, CARGO_TARGET_DIR: resolve(twin.project, "target") };
  const cargo = () => execFileSync("cargo", ["build", "--quiet", "--lib", "--target", "wasm32-wasip2"], { cwd: twin.project, env: alone });
  cargo();
  const response = await fetch(`${host.hello.url}/_dev/stream?kinds=reload,build`, { headers: { authorization: `Bearer ${host.token("admin@acme")}`, accept: "application/x-ndjson" } });
  let heard = () => {};
  (async () => {
    let rest = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      lines.filter(Boolean).forEach((line) => heard(JSON.parse(line).data));
    }
  })().catch(() => {});
  const timed = async (work) => { const began = performance.now(); await work(); return performance.now() - began; };
  // Three kinds of edit, each of which changes the component: a much longer text, a new function, a few more letters.
  const original = host.read("src/lib.rs");
  const refusal = "only a draft can be approved";
  if (original.split(refusal).length !== 2) throw new Error("the template says something else");
  const kinds = [
    (text, turn) => text.replace(refusal, `${refusal}, and this is none (${turn}): ask whoever made it, or take another one`),
    (text, turn) => `${text}\n#[unsafe(no_mangle)]\nextern "C" fn measured_${turn}(count: u32) -> u32 { (0..count).map(|one| one * ${turn + 3}).sum() }\n`,
    (text, turn) => text.replace(refusal, `${refusal} ${turn}`),
  ];
  let live = (await host.ask("GET", "/_dev/projects"))[0].live;
  const [whole, built, bare] = [[], [], []];
  for (let turn = 0; turn < 15; turn++) {
    const after = kinds[turn % kinds.length](original, turn);
    const serves = new Promise((resolve) => {
      heard = (told) => {
        if (told.state === "done") built.push(told.milliseconds);
        if (told.stage === "live" && told.live > live) { live = told.live; resolve(); }
      };
    });
    whole.push(await timed(async () => { host.write("src/lib.rs", after); await serves; }));
    twin.write("src/lib.rs", after);
    bare.push(await timed(cargo));
  }
  const added = whole.map((time, turn) => time - bare[turn]);
  console.log(`| edit of Rust to the new code serving | ${whole.length} | ${median(whole).toFixed(0)} ms, of which the build ${median(built)} ms |`);
  console.log(`| the same edit, \`cargo build\` alone | ${bare.length} | ${median(bare).toFixed(0)} ms |`);
  console.log(`| what is added to cargo's own time | ${added.length} | ${median(added).toFixed(0)} ms (at most ${Math.max(...added).toFixed(0)}) |`);
  const again = [];
  for (let turn = 0; turn < 5; turn++) again.push(await timed(() => build(host)));
  console.log(`| \`erp-plugin build\` where nothing changed (cargo, link, check) | ${again.length} | ${median(again).toFixed(0)} ms |`);
  await host.stop();
}
await browser.close();
