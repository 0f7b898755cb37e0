// Which line of which source each line of the bundle was made of, for the stacks of exceptions.
import { relative, resolve } from "node:path";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The numbers of a segment of a source map: five bits a digit, the lowest first, the sign in the lowest bit of all. */
function numbers(segment) {
  const found = [];
  let [value, shift] = [0, 0];
  for (const letter of segment) {
    const digit = DIGITS.indexOf(letter);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    found.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return found;
}

/** For each line of the bundle the places of its parts: from which column, which source, which line there, from 1. */
function places(map) {
  let [source, line] = [0, 0];
  const lines = map.mappings.split(";").map((segments) => {
    const parts = [];
    let column = 0;
    for (const segment of segments.split(",").filter(Boolean)) {
      const [byColumn, bySource, byLine] = numbers(segment);
      column += byColumn;
      if (bySource === undefined) continue;
      source += bySource;
      line += byLine;
      const last = parts.at(-1);
      if (last?.[1] !== source || last?.[2] !== line + 1) parts.push([column, source, line + 1]);
    }
    return parts;
  });
  // The bundle lies, as far as its map knows, in a folder beside the entry.
  const sources = map.sources.map((file) => relative(process.cwd(), resolve("src/dist", file)).replaceAll("\\", "/"));
  return { sources, lines };
}

// What the world exports: each by the name of its interface, or as it is called here.
const EXPORTS = [];

const wholeWorld = {
  name: "exports of the world",
  generateBundle(_, files) {
    const given = Object.values(files).flatMap((file) => file.exports ?? []);
    const missing = EXPORTS.filter((names) => !names.some((name) => given.includes(name))).map(([, name]) => name);
    if (missing.length === 0) return;
    const message = `the entry does not export ${missing.join(", ")}, which the world has`;
    // Where in this file it was found helps nobody.
    throw Object.assign(new Error(message), { stack: message });
  },
};

const keepPlaces = {
  name: "places",
  generateBundle(_, files) {
    for (const [name, file] of Object.entries(files)) {
      if (file.type === "asset") {
        delete files[name];
      } else {
        const line = file.code.slice(0, file.code.indexOf("ERP_LINE")).split("\n").length;
        file.code = file.code.replace("ERP_LINE", String(line));
        file.code = file.code.replace("ERP_PLACES", () => JSON.stringify(places(file.map)));
      }
    }
  },
};

// The engine's numbers are exact up to 2^53: what is no whole number, or beyond it, is an error and never another number.
const EXACT = "\0exact:";
const WHOLE = `const whole = (value) => {
  if (Number.isSafeInteger(value)) return value;
  throw new RangeError(value + " is no whole number up to 2^53");
};`;
const WRAPPED = [
  [/^erp:plugin\/host-kv@/, "increment", "(key, by) => whole(bare(key, whole(by)))"],
  [/^erp:plugin\/host-blob@/, "get", "(id, offset, length) => bare(id, whole(offset), length)"],
];
const wrapped = (id) => WRAPPED.find(([name]) => name.test(id));

const exactNumbers = {
  name: "exact numbers",
  resolveId: (id, importer) => (wrapped(id) && !importer?.startsWith(EXACT) ? EXACT + id : null),
  load: (id) => {
    if (!id.startsWith(EXACT)) return null;
    const host = JSON.stringify(id.slice(EXACT.length));
    const [, name, code] = wrapped(id.slice(EXACT.length));
    return `import { ${name} as bare } from ${host};\nexport * from ${host};\n${WHOLE}\nexport const ${name} = ${code};\n`;
  },
};

// What the host gives is no file.
const isHost = (id, importer) => id.startsWith("erp:plugin/") && (!wrapped(id) || importer?.startsWith(EXACT) === true);

export default { external: [isHost], output: { sourcemap: "hidden" }, plugins: [exactNumbers, wholeWorld, keepPlaces] };
