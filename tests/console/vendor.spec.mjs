// The library's files are those of npm, except for two lines that decision 0021 names.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "@playwright/test";

const here = import.meta.dirname;
const kept = resolve(here, "../../src/erp-plugin/dev_host/console/vendor");
const read = (...parts) => readFileSync(join(...parts), "utf8");

for (const [name, source] of [["preact.mjs", "preact/dist/preact.mjs"], ["hooks.mjs", "preact/hooks/dist/hooks.mjs"], ["htm.mjs", "htm/dist/htm.mjs"]]) {
  test(`${name} is what npm has`, () => {
    const published = read(here, "node_modules", source).replace('from"preact"', 'from"./preact.mjs"').replace(/^\/\/# sourceMappingURL=.*$/m, "");
    expect(read(kept, name)).toBe(published);
  });
}
