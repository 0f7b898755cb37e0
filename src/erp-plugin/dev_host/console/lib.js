// @ts-check
// The base of every part of the console: the library, the languages, the session, requests and the stream.
import { createContext, createElement, Fragment, render } from "./vendor/preact.mjs";
import { useCallback, useContext, useEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";
import htm from "./vendor/htm.mjs";

export const html = htm.bind(createElement);
export { createContext, Fragment, render, useCallback, useContext, useEffect, useMemo, useRef, useState };

/** What all components share: the users, the user whose view is shown, tenants, plugins, projects, language, stream. */
export const Session = createContext(null);
export const useSession = () => useContext(Session);

/** A function that picks one of two texts by language: the console's texts are side by side where they are used. */
export function useWords() {
  const { language } = useSession();
  return useCallback((english, chinese) => (language === "zh-CN" ? chinese : english), [language]);
}

export class Refused extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(body?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? "http.error";
    this.details = body?.details;
  }
  /** The errors of single fields: name → message. */
  get fields() {
    return Object.fromEntries((this.details?.problems ?? []).map((problem) => [problem.field, problem.message]));
  }
}

/**
 * Sends a request to the host as a user; returns JSON, or text if the response is not JSON.
 * @param {string} token
 * @param {string} method
 * @param {string} path
 * @param {{ body?: unknown, language?: string, raw?: BodyInit, type?: string }} [options]
 */
export async function ask(token, method, path, { body, language, raw, type } = {}) {
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token}` };
  if (language) headers["accept-language"] = language;
  /** @type {RequestInit} */
  const init = { method, headers };
  if (raw !== undefined) {
    init.body = raw;
    headers["content-type"] = type ?? "application/octet-stream";
  } else if (body !== undefined) {
    init.body = JSON.stringify(body);
    headers["content-type"] = "application/json";
  }
  const response = await fetch(path, init);
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  const read = response.status === 204 ? null : await (isJson ? response.json() : response.text()).catch(() => null);
  if (!response.ok) throw new Refused(response.status, isJson ? read : { message: read });
  return read;
}

/** Requests as the user whose view is shown (`app`), as the administrator (`dev`), or with any token (`send`). */
export function useAsk() {
  const { user, admin, language } = useSession();
  return useMemo(
    () => ({
      app: (method, path, body) => ask(user.token, method, path, { body, language }),
      dev: (method, path, body) => ask(admin.token, method, path, { body, language }),
      send: (token, method, path, options) => ask(token, method, path, { language, ...options }),
    }),
    [user.token, admin.token, language],
  );
}

/** Loads a value, again when `keys` change or `reload` is called. The old value stays until the new one has loaded. */
export function useLoaded(load, keys) {
  const [state, setState] = useState({ value: undefined, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    load().then(
      (value) => isCurrent && setState({ value, error: null }),
      (error) => isCurrent && setState((old) => ({ value: old.value, error })),
    );
    return () => {
      isCurrent = false;
    };
  }, [...keys, turn]);
  const reload = useCallback(() => setTurn((old) => old + 1), []);
  return { ...state, reload };
}

/** The journal of the host. After a break it connects again each second, and continues with new records only. */
export class Stream {
  constructor(token) {
    this.token = token;
    this.listeners = new Set();
    this.last = null;
    this.state = "waiting";
    this.run();
  }
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  tell(entry) {
    for (const listener of this.listeners) listener(entry);
  }
  async run() {
    for (;;) {
      try {
        const after = this.last === null ? "" : `?after=${this.last}`;
        const response = await fetch(`/_dev/stream${after}`, {
          headers: { authorization: `Bearer ${this.token}`, accept: "application/x-ndjson" },
        });
        if (!response.ok) throw new Error(String(response.status));
        if (this.state !== "open") this.tell({ kind: "connected", again: this.state === "lost" });
        this.state = "open";
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          const lines = (rest + value).split("\n");
          rest = lines.pop();
          for (const line of lines) {
            const entry = JSON.parse(line);
            this.last = entry.id ?? entry.data?.to ?? this.last;
            this.tell(entry);
          }
        }
      } catch {
        // Reported below; the next attempt follows soon.
      }
      if (this.state !== "lost") this.tell({ kind: "lost" });
      this.state = "lost";
      // A new process counts from the beginning, so the old number is not used.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      this.last = null;
    }
  }
}

/** Calls `callback` for every entry of the given kinds. */
export function useStream(kinds, callback) {
  const { stream } = useSession();
  const latest = useRef(callback);
  latest.current = callback;
  useEffect(() => stream.listen((entry) => kinds.includes(entry.kind) && latest.current(entry)), [stream]);
}

/** Delays a call by `milliseconds`; further calls within that time are merged into it. */
export function useThrottled(callback, milliseconds) {
  const timer = useRef(null);
  const latest = useRef(callback);
  latest.current = callback;
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    if (timer.current) return;
    timer.current = setTimeout(() => {
      timer.current = null;
      latest.current();
    }, milliseconds);
  }, [milliseconds]);
}

/** The value once it has not changed for a while. */
export function useSettled(value, milliseconds) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}

export const query = (values) => {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
};

export const rowsPath = (plugin, entity, rest = "") => `/api/v1/plugins/${plugin}/${entity}${rest}`;

export const go = (path) => {
  location.hash = path;
};

const pad = (number) => String(number).padStart(2, "0");

/** A moment in local time: `2026-04-15 08:00:00`. */
export function moment(text, withSeconds = true) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text ?? "";
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}${withSeconds ? `:${pad(date.getSeconds())}` : ""}`;
}

/** The time of day of a moment, to the millisecond. */
export function clock(milliseconds) {
  const date = new Date(milliseconds);
  const fraction = String(date.getMilliseconds()).padStart(3, "0");
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${fraction}`;
}

export const count = (number) => (number ?? 0).toLocaleString("en-US");

export const duration = (microseconds) =>
  microseconds < 1000 ? `${microseconds} µs` : `${(microseconds / 1000).toFixed(microseconds < 10000 ? 1 : 0)} ms`;
