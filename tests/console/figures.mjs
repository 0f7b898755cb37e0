// How long a change takes to be seen, with a release build: `node figures.mjs` prints a table for docs/benchmarks.md.
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
    // The page itself says when it shows the new label; the clock is this process's.
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
  const host = await Host.start({ template: "inventory", id: "erp-stock", prepare: (own) => own.run("-C", own.project, "build", "--quiet") });
  const seen = [];
  const builds = [];
  const response = await fetch(`${host.hello.url}/_dev/stream?kinds=build`, { headers: { authorization: `Bearer ${host.token("admin@acme")}`, accept: "application/x-ndjson" } });
  (async () => {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      for (const line of chunk.split("\n").filter(Boolean)) {
        const { data } = JSON.parse(line);
        if (data.state === "done") builds.push(data.milliseconds);
      }
    }
  })().catch(() => {});
  const project = async () => (await host.ask("GET", "/_dev/projects"))[0];
  let live = (await project()).live ?? 0;
  // What a guest says when it refuses: a change that the component shows, or no generation would come of it.
  const refusal = "only a draft can be approved";
  let before = refusal;
  for (let turn = 0; turn < 6; turn++) {
    const after = `${refusal} ${turn}`;
    host.edit("src/lib.rs", before, after);
    before = after;
    for (;;) {
      const now = await project();
      if (now.live > live && now.stage === "live") {
        live = now.live;
        seen.push(now.generations[0].milliseconds);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const pairs = seen.map((total, index) => total - builds[index]);
  console.log(`| edit of Rust to the new code serving | 6 | ${median(seen)} ms, of which \`erp-plugin build\` ${median(builds)} ms, the rest ${median(pairs)} ms |`);
  const { execFileSync } = await import("node:child_process");
  const timed = (work) => { const began = performance.now(); work(); return performance.now() - began; };
  const ours = [1, 2, 3, 4, 5].map(() => timed(() => host.run("-C", host.project, "build", "--quiet")));
  console.log(`| \`erp-plugin build\` where nothing changed (cargo, link, check) | 5 | ${median(ours).toFixed(0)} ms |`);
  await host.stop();
}
await browser.close();
