// @ts-check
// The components that every page is made of.
import { html, useCallback, useEffect, useRef, useState, useWords } from "./lib.js";

const ICONS = {
  plus: "M8 3v10M3 8h10",
  edit: "M3 13l1-3.5L10.5 3 13 5.5 6.5 12z",
  trash: "M3.5 5h9M6 5V3.5h4V5M5 5l.5 8h5l.5-8",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5L14 14",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  left: "M10 3.5L5.5 8l4.5 4.5",
  right: "M6 3.5L10.5 8 6 12.5",
  close: "M4 4l8 8M12 4l-8 8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  import: "M8 2.5v7M5 7l3 3 3-3M3 13h10",
  export: "M8 10V3M5 5.5L8 2.5l3 3M3 13h10",
  play: "M5 3.5l7 4.5-7 4.5z",
  refresh: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5V5h-2.5",
  sun:
    "M8 5.5A2.5 2.5 0 1 0 8 10.5 2.5 2.5 0 0 0 8 5.5zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1" +
    "M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  check: "M3 8.5l3.5 3.5L13 4.5",
  warn: "M8 2.5L14 13H2zM8 6.5v3M8 11.2v.3",
  plugin: "M6 2.5v3M10 2.5v3M4 5.5h8v3a4 4 0 0 1-8 0zM8 12.5v2",
  calls: "M2 12.5l3.5-5 3 3L14 3.5",
  events: "M9 1.5L3.5 9H8l-1 5.5L12.5 7H8z",
  data: "M2.5 4c0-2 11-2 11 0v8c0 2-11 2-11 0zM2.5 4c0 2 11 2 11 0M2.5 8c0 2 11 2 11 0",
  invoke: "M5.5 4L1.5 8l4 4M10.5 4l4 4-4 4",
  faults: "M8 4.5V8l2.5 1.5M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z",
  tests: "M6 2h4M7 2v4L3 13.5h10L9 6V2",
  page: "M4 2h5.5L13 5.5V14H4zM9 2v4h4",
  team:
    "M6 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-5 9-5 9 0M10.5 3.2a2.5 2.5 0 0 1 0 4.6" +
    "M12 10c1.5.5 2.5 1.8 2.5 3.5",
  dashboard: "M2.5 12a5.5 5.5 0 0 1 11 0M8 12l2.5-4",
  tree: "M3 3h4v3H3zM9 7.5h4v3H9zM9 12h4M5 6v7h4M5 9h4",
  board: "M2.5 3h3v10h-3zM6.5 3h3v7h-3zM10.5 3h3v4h-3z",
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${ICONS[name] ?? ICONS.page} /></svg>`;

export function Button({ kind = "plain", icon, label, children, busy, ...rest }) {
  return html`<button
    type="button"
    class=${`button ${kind}${children ? "" : " square"}`}
    aria-label=${label}
    title=${label}
    aria-busy=${busy ? "true" : undefined}
    ...${rest}
    disabled=${rest.disabled || busy}
  >
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </button>`;
}

export const Tag = ({ color, children }) =>
  html`<span class=${`tag ${["red", "blue", "green", "orange"].includes(color) ? color : ""}`}>${children}</span>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const Code = ({ value }) =>
  html`<pre class="code" tabindex="0">${typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>`;

/** An error, shown where the user looks. */
export function Problem({ error }) {
  if (!error) return null;
  return html`<div class="problem" role="alert">
    <${Icon} name="warn" />
    <div><strong>${error.message}</strong> ${error.code && html` <code>${error.code}</code>`}</div>
  </div>`;
}

export function Skeleton({ lines = 3 }) {
  return html`<div class="skeleton" aria-hidden="true">${Array.from({ length: lines }, () => html`<i></i>`)}</div>`;
}

/** A value, an error, or a placeholder while it loads. */
export function Loaded({ of, children, lines }) {
  if (of.value === undefined)
    return of.error ? html`<${Problem} error=${of.error} />` : html`<${Skeleton} lines=${lines} />`;
  return html`${of.error && html`<${Problem} error=${of.error} />`}${children(of.value)}`;
}

export function Dialog({ title, onClose, children, footer, wide }) {
  const t = useWords();
  const element = useRef(null);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    // The first input gets the focus, not the close button.
    dialog.querySelector(".dialog-body :is(input, select, textarea):not([disabled])")?.focus();
    return () => dialog.close();
  }, []);
  return html`<dialog
    ref=${element}
    class=${wide ? "wide" : ""}
    aria-label=${title}
    onCancel=${(event) => {
      event.preventDefault();
      onClose();
    }}
    onMouseDown=${(event) => event.target === element.current && onClose()}
  >
    <div class="dialog">
      <header>
        <h2>${title}</h2>
        <${Button} kind="ghost" icon="close" label=${t("Close", "关闭")} onClick=${onClose} />
      </header>
      <div class="dialog-body">${children}</div>
      ${footer && html`<footer>${footer}</footer>`}
    </div>
  </dialog>`;
}

/** Asks for confirmation before an action that cannot be undone. */
export function Confirm({ title, text, verb, onYes, onNo }) {
  const t = useWords();
  const [state, setState] = useState({ busy: false, error: null });
  const yes = async () => {
    setState({ busy: true, error: null });
    try {
      await onYes();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Dialog} title=${title} onClose=${onNo} footer=${html`
    <${Button} onClick=${onNo}>${t("Cancel", "取消")}</${Button}>
    <${Button} kind="danger" busy=${state.busy} onClick=${yes}>${verb}</${Button}>`}>
    <p>${text}</p><${Problem} error=${state.error} /></${Dialog}>`;
}

/** @type {(item: { text: string, kind: string }) => void} */
let addToast = () => {};
/** Shows for four seconds what was done. */
export const toast = (text, kind = "good") => addToast({ text, kind });

export function Toasts() {
  const [items, setItems] = useState([]);
  useEffect(() => {
    addToast = (item) => {
      const id = crypto.randomUUID();
      setItems((old) => [...old.slice(-2), { ...item, id }]);
      setTimeout(() => setItems((old) => old.filter((one) => one.id !== id)), 4000);
    };
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${items.map((item) => html`<div key=${item.id} class=${`toast ${item.kind}`}>${item.text}</div>`)}
  </div>`;
}

/** Runs an action, and shows its result or its error. */
export function useDoing() {
  const [busy, setBusy] = useState(null);
  const run = useCallback(async (name, work, done) => {
    setBusy(name);
    try {
      const value = await work();
      const said = typeof done === "function" ? done(value) : done;
      if (said) toast(said);
      return value;
    } catch (error) {
      toast(error.message, "bad");
      return undefined;
    } finally {
      setBusy(null);
    }
  }, []);
  return [busy, run];
}

/** A label above an input, with its help and its error. */
export function Field({ id, label, help, error, required, children }) {
  const t = useWords();
  return html`<div class=${`field${error ? " wrong" : ""}`}>
    <label for=${id}
      >${label}${required && html`<span class="required" title=${t("required", "必填")}> *</span>`}</label
    >
    ${children} ${help && html`<small id=${`${id}-help`}>${help}</small>`}
    ${error && html`<small class="error" id=${`${id}-error`} role="alert">${error}</small>`}
  </div>`;
}

export function Select({ value, options, onChange, empty, ...rest }) {
  return html`<select ...${rest} value=${value ?? ""} onChange=${(event) => onChange(event.target.value)}>
    ${empty !== undefined && html`<option value="">${empty}</option>`}
    ${options.map((option) => html`<option key=${option.value} value=${option.value}>${option.label}</option>`)}
  </select>`;
}

export function Tabs({ label, tabs, current, onChange }) {
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const index = (tabs.findIndex((tab) => tab.value === current) + step + tabs.length) % tabs.length;
    onChange(tabs[index].value);
    event.currentTarget.children[index].focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>
    ${tabs.map(
      (tab) =>
        html`<button
          key=${tab.value}
          role="tab"
          type="button"
          aria-selected=${tab.value === current ? "true" : "false"}
          tabindex=${tab.value === current ? 0 : -1}
          onClick=${() => onChange(tab.value)}
        >
          ${tab.label}
        </button>`,
    )}
  </div>`;
}

export const Page = ({ title, aside, children }) =>
  html`<section class="page">
    <header class="page-head">
      <h1>${title}</h1>
      <div class="aside">${aside}</div>
    </header>
    ${children}
  </section>`;

/** A table with one head; `columns` are `{key, label, cell, align, sort}`. */
export function Table({ label, columns, rows, keyOf, onRow, empty, order, onOrder }) {
  const t = useWords();
  return html`<div class="table" tabindex="0" role="region" aria-label=${label}>
    <table>
      <thead>
        <tr>
          ${columns.map(
            (column) =>
              html`<th
                key=${column.key}
                scope="col"
                class=${column.align ?? ""}
                aria-sort=${order?.by === column.key ? (order.descending ? "descending" : "ascending") : undefined}
              >
                ${
                  column.sort
                    ? html`<button type="button" class="sort" onClick=${() => onOrder(column.key)}>
                        ${column.label}
                        <${Icon} name=${order?.by === column.key && !order.descending ? "up" : "down"} />
                      </button>`
                    : column.label || html`<span class="hidden">${t("Actions", "操作")}</span>`
                }
              </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr
              key=${keyOf(row)}
              class=${onRow ? "open" : ""}
              onClick=${onRow && ((event) => !event.target.closest("button, a, select, input") && onRow(row))}
            >
              ${columns.map(
                (column) => html`<td key=${column.key} class=${column.align ?? ""}>${column.cell(row)}</td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
    ${rows.length === 0 && html`<${Empty}>${empty}</${Empty}>`}
  </div>`;
}
