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

// What the host gives is no file.
export default { external: [/^erp:plugin\//], output: { sourcemap: "hidden" }, plugins: [keepPlaces] };
