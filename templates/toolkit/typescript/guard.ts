// Between the plugin and the engine: `console`, `Date`, `Math.random` and `crypto` are the host's, and an exception becomes
// an error that the platform can show.
import { now, randomBytes, randomU64 } from "erp:plugin/host-clock@1.0.0";
import { log, type Level } from "erp:plugin/host-log@1.0.0";
import type { Error as PluginError } from "erp:plugin/types@1.0.0";

declare global {
  // The library of browsers is not loaded; where it is, these are parts of its own.
  var crypto: object | undefined;
  interface Console {
    trace(...values: unknown[]): void;
    debug(...values: unknown[]): void;
    log(...values: unknown[]): void;
    info(...values: unknown[]): void;
    warn(...values: unknown[]): void;
    error(...values: unknown[]): void;
  }
  var console: Console;
}

// The build puts values in the place of these two: where the bundle's lines come from, and the line that asks.
declare const ERP_PLACES: { sources: string[]; lines: [number, number, number][][] };
declare const ERP_LINE: number;
const { sources, lines } = ERP_PLACES;

const lineOf = (stack: string | undefined): number => Number(/:(\d+):\d+/.exec(stack ?? "")?.[1] ?? 0);
// The engine puts lines of its own before the bundle: as many as this one is further down than the build says.
const BEFORE = lineOf(new Error().stack) - ERP_LINE;

/** A line of a stack, `    at name (/src/plugin.ts:493:14)`, with the place that the author knows. */
const placed = (frame: string): string => {
  const column = frame.lastIndexOf(":");
  const line = frame.lastIndexOf(":", column - 1);
  const parts = lines[Number(frame.slice(line + 1, column)) - BEFORE - 1] ?? [];
  const part = parts.filter(([begins]) => begins < Number.parseInt(frame.slice(column + 1), 10)).pop() ?? parts[0];
  if (part === undefined) return frame;
  const from = Math.max(frame.lastIndexOf("(", line), frame.lastIndexOf(" ", line)) + 1;
  return `${frame.slice(0, from)}${sources[part[1]]}:${part[2]}${frame.endsWith(")") ? ")" : ""}`;
};

const text = (value: unknown): string => {
  if (typeof value === "string") return value;
  if (value instanceof Error) {
    const stack = (value.stack ?? "").split("\n").map(placed);
    return [`${value.name}: ${value.message}`, ...stack].join("\n");
  }
  try {
    const plain = (_: string, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner);
    return JSON.stringify(value, plain) ?? String(value);
  } catch {
    return String(value);
  }
};

const writer =
  (level: Level) =>
  (...values: unknown[]): void =>
    log(level, values.map(text).join(" "), undefined);

// This runs when the component is built; the host is only called when somebody calls these.
Object.assign(globalThis, {
  console: {
    trace: writer("trace"),
    debug: writer("debug"),
    log: writer("info"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
  },
});

// The engine gives a u64 as a number or as a bigint.
Math.random = () => Number(BigInt(randomU64()) >> 11n) / 2 ** 53;

const EngineDate = globalThis.Date;
const milliseconds = (): number => Number(BigInt(now()) / 1_000_000n);
globalThis.Date = new Proxy(EngineDate, {
  construct: (target, given, self) =>
    Reflect.construct(
      target,
      given.length === 0 ? [milliseconds()] : given,
      self === globalThis.Date ? target : self,
    ) as object,
  apply: () => new EngineDate(milliseconds()).toString(),
  get: (target, key) => (key === "now" ? milliseconds : (Reflect.get(target, key) as unknown)),
});

if (globalThis.crypto === undefined) Object.assign(globalThis, { crypto: {} });
Object.defineProperty(globalThis.crypto ?? {}, "getRandomValues", {
  value: <T extends ArrayBufferView>(view: T): T => {
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(randomBytes(view.byteLength));
    return view;
  },
});

const isPluginError = (value: unknown): value is PluginError =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof Error) &&
  "code" in value &&
  "message" in value &&
  "retryable" in value;

/** An error of this plugin, to be thrown: a stable dotted code of your own, and a sentence for developers. */
export function refuse(code: string, message: string, details?: unknown): PluginError {
  const error: PluginError = { code, message, retryable: false };
  return details === undefined ? error : { ...error, details: JSON.stringify(details) };
}

/** An error that may be gone when the same is tried again. */
export function tryLater(code: string, message: string): PluginError {
  return { code, message, retryable: true };
}

/** The text of bytes in UTF-8: the engine has no `TextDecoder`. */
export function utf8(bytes: Uint8Array): string {
  return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
}

/** What an export that is `async` does not have. */
interface AnswersAtOnce {
  "an export answers at once: nobody waits for its promise": never;
}

const isPromise = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";

/**
 * Wraps an export. What is thrown and is no error of the host API becomes one, and its stack goes into the log. An export that
 * is `async` is refused: what it does behind the first `await` would never happen.
 */
export function guarded<A extends unknown[], R>(
  run: ((...given: A) => R) & (R extends PromiseLike<unknown> ? AnswersAtOnce : unknown),
): (...given: A) => R {
  return (...given) => {
    try {
      const result = run(...given);
      if (isPromise(result)) throw refuse("plugin.async", "the export is async, and nobody waits for its promise");
      return result;
    } catch (thrown) {
      // What the host refused comes as an exception with the error in `payload`.
      const error = typeof thrown === "object" && thrown !== null && "payload" in thrown ? thrown.payload : thrown;
      if (isPluginError(error)) throw error;
      log("error", text(error), undefined);
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw refuse("plugin.exception", message);
    }
  };
}
