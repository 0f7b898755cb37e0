// A dev host with a project of its own, and a page that is signed in.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test as base } from "@playwright/test";

const repository = resolve(import.meta.dirname, "../..");
const program = process.env.ERP_PLUGIN_TEST_PROGRAM ?? join(repository, "target/debug/erp-plugin");

export class Host {
  static async start({ template = "pages", id = "erp-desk", prepare } = {}) {
    const host = new Host();
    host.folder = mkdtempSync(join(tmpdir(), "erp-console-"));
    host.id = id;
    host.project = join(host.folder, id);
    host.run("new", host.project, "--template", template, "--quiet");
    if (prepare) await prepare(host);
    const child = spawn(program, ["dev", "--port", "0", "--format", "json"], { cwd: host.project, env: host.environment });
    host.child = child;
    host.log = "";
    child.stderr.on("data", (text) => (host.log += text));
    host.hello = await new Promise((resolve, reject) => {
      let text = "";
      child.stdout.on("data", (more) => {
        text += more;
        try { resolve(JSON.parse(text)); } catch { /* The JSON is not complete yet. */ }
      });
      child.on("exit", (code) => reject(new Error(`the dev host ended with ${code}: ${host.log}`)));
    });
    return host;
  }
  get environment() {
    const { PATH, HOME, RUSTUP_HOME, CARGO_HOME, RUSTUP_TOOLCHAIN } = process.env;
    return {
      PATH, HOME, RUSTUP_HOME, CARGO_HOME, RUSTUP_TOOLCHAIN, RUSTUP_AUTO_INSTALL: "0",
      XDG_CONFIG_HOME: join(this.folder, "config"), XDG_CACHE_HOME: join(repository, "target/test-cache"),
      CARGO_TARGET_DIR: join(repository, "target/test-guests/console"),
    };
  }
  run(...words) {
    return execFileSync(program, words, { cwd: this.folder, env: this.environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }
  read(file) {
    return readFileSync(join(this.project, file), "utf8");
  }
  write(file, text) {
    writeFileSync(join(this.project, file), text);
  }
  /** Changes a file of the project, as an editor does. */
  edit(file, from, to) {
    const text = this.read(file);
    if (!text.includes(from)) throw new Error(`${file} does not hold ${from}`);
    this.write(file, text.replace(from, to));
  }
  token(user) {
    return this.hello.users.find((known) => known.user === user).token;
  }
  async ask(method, path, body, user = "admin@acme") {
    const response = await fetch(this.hello.url + path, {
      method, headers: { authorization: `Bearer ${this.token(user)}` }, body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const read = text ? JSON.parse(text) : null;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return read;
  }
  row(entity, data, user) {
    return this.ask("POST", `/api/v1/plugins/${this.id}/${entity}`, { data }, user);
  }
  async stop() {
    if (this.child.exitCode === null) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A test whose page may reach only its host, and may log no error to the browser's console. */
export const test = base.extend({
  /** The errors that the browser's console may show, where a test tries something forbidden. */
  forgiven: [/^$/, { option: true }],
  page: async ({ page, forgiven }, use) => {
    const problems = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      // A refusal is a normal answer; the browser reports it as a failure to load.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource") && !forgiven.test(message.text())) problems.push(message.text());
    });
    await page.route("**/*", (route) => {
      const { hostname, protocol } = new URL(route.request().url());
      if (hostname === "127.0.0.1" || protocol === "data:" || protocol === "blob:") return route.continue();
      problems.push(`asked ${hostname}`);
      return route.abort();
    });
    await use(page);
    expect(problems).toEqual([]);
  },
});

export async function open(page, host, place = "") {
  await page.goto(host.hello.console);
  await expect(page.locator(".side a").first()).toBeVisible();
  if (place) await page.evaluate((hash) => { location.hash = hash; }, `#/${place}`);
}

/** Fails if a violation keeps users out: one whose impact is `serious` or `critical`. */
export async function accessible(page) {
  const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" | ")}`)).toEqual([]);
}

/** Saves a screenshot for the documentation, if `ERP_PLUGIN_BLESS` is set. */
export async function picture(page, name) {
  if (!process.env.ERP_PLUGIN_BLESS) return;
  await page.screenshot({ path: join(repository, `docs/console/${name}.png`), animations: "disabled" });
}

export { expect };
