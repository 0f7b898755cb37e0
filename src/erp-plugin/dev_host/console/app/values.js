// @ts-check
// How values of each type of field are shown and filled in.
import {
  html,
  moment,
  query,
  rowsPath,
  useAsk,
  useEffect,
  useLoaded,
  useRef,
  useSession,
  useSettled,
  useState,
  useWords,
} from "../lib.js";
import { Button, Select, Tag } from "../ui.js";

const NONE = [];

/** Ignores the error of a value: the default of `onBroken`. @param {string | undefined} _why */
const noWord = (_why) => {};
/** A value in a cell, or on a detail page. `labels` holds the labels of references: field → id → label. */
export function Shown({ field, value, labels, people }) {
  const t = useWords();
  if (value === undefined || value === null || value === "") return html`<span class="nothing">—</span>`;
  const option = (one) => {
    const found = field.options.find((known) => known.value === one);
    return html`<${Tag} key=${one} color=${found?.color}>${found?.label ?? one}</${Tag}>`;
  };
  const label = (id) => labels?.[field.name]?.[id] ?? `${String(id).slice(0, 8)}…`;
  switch (field.display) {
    case "option":
      return option(value);
    case "options":
      return html`<span class="tags">${value.map(option)}</span>`;
    case "tags":
      return html`<span class="tags">${value.map((one) => html`<${Tag} key=${one}>${one}</${Tag}>`)}</span>`;
    case "yes_no":
      return value ? t("yes", "是") : t("no", "否");
    case "reference":
      return label(value);
    case "references":
      return value.map(label).join("、");
    case "user":
      return people?.[value] ?? `${String(value).slice(0, 8)}…`;
    case "moment":
      return html`<time datetime=${value}>${moment(value)}</time>`;
    case "percent":
      return `${value} %`;
    case "money":
      return html`<span class="money">${value}</span>`;
    case "color":
      return html`<span
          class="swatch"
          style=${`--swatch:${/^#[0-9a-f]{3,8}$/i.test(value) ? value : "transparent"}`}
        ></span>
        ${" "}${value}`;
    case "stars":
      return "★".repeat(Math.min(value, 10));
    case "link":
      return /^https?:/.test(value)
        ? html`<a href=${value} target="_blank" rel="noreferrer noopener">${value}</a>`
        : value;
    case "mail":
      return html`<a href=${`mailto:${value}`}>${value}</a>`;
    case "place":
      return `${value.lat}, ${value.lng}`;
    default:
      return typeof value === "object" ? JSON.stringify(value) : String(value);
  }
}

/** Names of the tenant's users by their ids. */
export function usePeople() {
  const ask = useAsk();
  const { user } = useSession();
  const found = useLoaded(() => ask.app("GET", "/api/v1/users"), [user.eyes]);
  return Object.fromEntries((found.value?.items ?? []).map((one) => [one.id, one.name]));
}

/** The input of a field. `row` holds the present values of the form, for references that depend on other fields. */
export function Input({ id, field, value, onChange, onBroken = noWord, row, describedBy, invalid }) {
  const t = useWords();
  const common = { id, "aria-describedby": describedBy, "aria-invalid": invalid ? "true" : undefined };
  const plain = (type, more = {}) =>
    html`<input
      ...${common}
      ...${more}
      type=${type}
      value=${value ?? ""}
      onInput=${(event) => onChange(event.target.value === "" ? null : event.target.value)}
    />`;
  switch (field.input) {
    case "select":
      return html`<${Select}
        ...${common}
        value=${value}
        options=${field.options}
        empty=${t("Please choose", "请选择")}
        onChange=${(chosen) => onChange(chosen === "" ? null : chosen)}
      />`;
    case "checkboxes":
      return html`<span class="checks" id=${id} role="group" aria-label=${field.display_name}
        >${field.options.map(
          (option) =>
            html`<label key=${option.value}>
              <input
                type="checkbox"
                checked=${(value ?? []).includes(option.value)}
                onChange=${(event) => {
                  const rest = (value ?? []).filter((one) => one !== option.value);
                  onChange(event.target.checked ? [...rest, option.value] : rest);
                }}
              />${" "} ${option.label}</label
            >`,
        )}</span
      >`;
    case "switch":
      return html`<input
        ...${common}
        type="checkbox"
        role="switch"
        class="switch"
        checked=${value === true}
        onChange=${(event) => onChange(event.target.checked)}
      />`;
    case "date":
      return plain("date");
    case "time":
      return plain("time", { step: 1 });
    case "datetime":
      return html`<input
        ...${common}
        type="datetime-local"
        step="1"
        value=${local(value)}
        onInput=${(event) => onChange(event.target.value ? new Date(event.target.value).toISOString() : null)}
      />`;
    case "whole_number":
    case "number":
      return html`<${NumberInput}
        ...${common}
        mode=${field.input === "number" ? "decimal" : "numeric"}
        value=${value}
        onChange=${onChange}
      />`;
    case "decimal":
      return plain("text", { inputmode: "decimal" });
    case "email":
      return plain("email");
    case "phone":
      return plain("tel");
    case "url":
      return plain("url");
    case "color":
      return html`<span class="pair"
        ><input
          type="color"
          aria-label=${t("Pick", "取色")}
          value=${value ?? "#1677ff"}
          onInput=${(event) => onChange(event.target.value)}
        />${plain("text")}</span
      >`;
    case "tags":
      return html`<input
        ...${common}
        value=${(value ?? []).join(", ")}
        placeholder=${t("a, b, c", "用逗号分隔")}
        onChange=${(event) =>
          onChange(
            event.target.value
              .split(/[,，]/)
              .map((one) => one.trim())
              .filter(Boolean),
          )}
      />`;
    case "json":
      return html`<textarea
        ...${common}
        rows="4"
        class="mono"
        onInput=${(event) => {
          try {
            onChange(event.target.value.trim() === "" ? null : JSON.parse(event.target.value));
            onBroken(undefined);
          } catch (error) {
            onBroken(t(`This is no JSON: ${error.message}`, `不是有效的 JSON：${error.message}`));
          }
        }}
      >
${value === undefined || value === null ? "" : JSON.stringify(value, null, 2)}</textarea>`;
    case "place":
      return html`<span class="pair"
        >${["lat", "lng"].map(
          (key) =>
            html`<${NumberInput}
              key=${key}
              mode="decimal"
              id=${key === "lat" ? id : undefined}
              aria-label=${key}
              placeholder=${key}
              value=${value?.[key]}
              onChange=${(number) => {
                const next = { lat: null, lng: null, ...value, [key]: number };
                onChange(next.lat === null && next.lng === null ? null : next);
              }}
            />`,
        )}</span
      >`;
    case "reference":
      return html`<${RefPicker} ...${common} field=${field} value=${value} row=${row} onChange=${onChange} />`;
    case "references":
      return html`<${RefsPicker} ...${common} field=${field} value=${value ?? []} row=${row} onChange=${onChange} />`;
    case "user":
      return html`<${UserPicker} ...${common} value=${value} onChange=${onChange} />`;
    case "department":
      return html`<${DepartmentPicker} ...${common} value=${value} onChange=${onChange} />`;
    default:
      return field.input === "area" || field.ui_widget === "textarea"
        ? html`<textarea
            ...${common}
            rows="3"
            value=${value ?? ""}
            onInput=${(event) => onChange(event.target.value || null)}
          ></textarea>`
        : plain("text");
  }
}

/** A number input. The text stays as typed; `onChange` gets a number, the text if it is none, or null if empty. */
export function NumberInput({ mode, value, onChange, ...rest }) {
  const shown = value === undefined || value === null ? "" : String(value);
  const [text, setText] = useState(shown);
  const read = (typed) => {
    const plain = typed.trim();
    const number = Number(plain);
    if (plain === "") return null;
    // A number with more digits than JavaScript keeps is sent as text, which the host judges.
    return Number.isFinite(number) && (Math.abs(number) <= Number.MAX_SAFE_INTEGER || mode === "decimal")
      ? number
      : plain;
  };
  useEffect(() => {
    if (read(text) !== (value ?? null)) setText(shown);
  }, [value]);
  return html`<input
    ...${rest}
    inputmode=${mode}
    value=${text}
    onInput=${(event) => {
      setText(event.target.value);
      onChange(read(event.target.value));
    }}
  />`;
}

function local(value) {
  if (!value) return "";
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? "" : moment(value).replace(" ", "T");
}

function UserPicker({ value, onChange, ...common }) {
  const people = usePeople();
  const t = useWords();
  const options = Object.entries(people).map(([id, name]) => ({ value: id, label: name }));
  return html`<${Select}
    ...${common}
    value=${value}
    options=${options}
    empty=${t("Nobody", "无")}
    onChange=${(chosen) => onChange(chosen || null)}
  />`;
}

function DepartmentPicker({ value, onChange, ...common }) {
  const ask = useAsk();
  const t = useWords();
  const found = useLoaded(() => ask.app("GET", "/api/v1/departments"), []);
  const options = (found.value?.items ?? []).map((one) => ({ value: one.id, label: one.name }));
  return html`<${Select}
    ...${common}
    value=${value}
    options=${options}
    empty=${t("None", "无")}
    onChange=${(chosen) => onChange(chosen || null)}
  />`;
}

/** The rows that a reference may name: searched as the user types, filtered by the field that it depends on. */
function useCandidates(field, text, row, isOpen) {
  const ask = useAsk();
  const { user } = useSession();
  const wanted = useSettled(text, 120);
  const target = field.ref;
  const parent = target.cascade_from ? row?.[target.cascade_from] : undefined;
  const isBlocked = target.cascade_from && !parent;
  const found = useLoaded(async () => {
    if (!isOpen || isBlocked) return { items: NONE, of: null };
    const filter = target.cascade_filter && parent ? JSON.stringify({ [target.cascade_filter]: parent }) : undefined;
    const page = await ask.app(
      "GET",
      rowsPath(target.plugin, target.entity, query({ search: wanted, page_size: 20, filter })),
    );
    return { items: page.items, of: wanted };
  }, [wanted, isOpen, parent, user.eyes]);
  return { ...found, isBlocked };
}

const titleOf = (field, row) => {
  const data = row.data ?? {};
  return data[field.ref.label_field] ?? Object.values(data).find((value) => typeof value === "string") ?? row.id;
};

function useLabel(field, id) {
  const ask = useAsk();
  const { user } = useSession();
  const found = useLoaded(async () => {
    if (!id) return "";
    try {
      return titleOf(field, await ask.app("GET", rowsPath(field.ref.plugin, field.ref.entity, `/${id}`)));
    } catch {
      return String(id);
    }
  }, [id, user.eyes]);
  return found.value ?? "";
}

/** A search box: the standard combobox, also by keyboard. */
export function RefPicker({ id, field, value, row, onChange, ...aria }) {
  const t = useWords();
  const [text, setText] = useState(null);
  const [active, setActive] = useState(0);
  const label = useLabel(field, value);
  const isOpen = text !== null;
  const found = useCandidates(field, text ?? "", row, isOpen);
  const items = found.value?.items ?? NONE;
  // Enter chooses among the results for the present text, not among earlier ones.
  const isCurrent = found.value?.of === (text ?? "");
  const box = useRef(null);
  useEffect(() => setActive(0), [items]);
  useEffect(() => box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [active]);
  const choose = (item) => {
    onChange(item?.id ?? null);
    setText(null);
  };
  const keys = (event) => {
    // While Chinese is composed, keys belong to the input method.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "ArrowDown" && !isOpen) {
      event.preventDefault();
      setText("");
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && items.length) {
      event.preventDefault();
      setActive((active + step + items.length) % items.length);
    } else if (event.key === "Enter" && isOpen) {
      event.preventDefault();
      if (isCurrent && items[active]) choose(items[active]);
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      setText(null);
    }
  };
  const list = `${id}-list`;
  return html`<span
    class="picker"
    ref=${box}
    onFocusOut=${(event) => !box.current?.contains(event.relatedTarget) && setText(null)}
  >
    <input
      id=${id}
      ...${aria}
      role="combobox"
      autocomplete="off"
      aria-expanded=${isOpen ? "true" : "false"}
      aria-controls=${list}
      aria-autocomplete="list"
      aria-activedescendant=${isOpen && items[active] ? `${list}-${active}` : undefined}
      placeholder=${found.isBlocked ? t("Choose what it belongs to first", "请先选择上级") : t("Search", "搜索")}
      value=${text ?? label}
      onInput=${(event) => setText(event.target.value)}
      onClick=${() => setText(text ?? "")}
      onKeyDown=${keys}
    />
    ${value && html`<${Button} kind="ghost" icon="close" label=${t("Clear", "清除")} onClick=${() => choose(null)} />`}
    <ul id=${list} role="listbox" hidden=${!isOpen} aria-label=${t("Rows", "可选记录")}>
      ${
        isOpen &&
        html` ${items.map(
          (item, index) =>
            html`<li
              key=${item.id}
              id=${`${list}-${index}`}
              role="option"
              tabindex="-1"
              aria-selected=${index === active ? "true" : "false"}
              onMouseDown=${(event) => {
                event.preventDefault();
                choose(item);
              }}
            >
              ${titleOf(field, item)}
            </li>`,
        )}
        ${
          items.length === 0 &&
          html`<li role="option" aria-disabled="true" aria-selected="false" class="empty">
            ${
              found.error
                ? found.error.message
                : found.isBlocked
                  ? t("Choose what it belongs to first", "请先选择上级")
                  : isCurrent
                    ? t("Nothing found", "没有找到")
                    : t("Searching…", "正在搜索…")
            }
          </li>`
        }`
      }
    </ul></span
  >`;
}

function RefsPicker({ value, onChange, field, ...rest }) {
  return html`<span class="many"
    >${value.map(
      (id) =>
        html`<${Chosen}
          key=${id}
          field=${field}
          id=${id}
          onRemove=${() => onChange(value.filter((one) => one !== id))}
        />`,
    )}
    <${RefPicker}
      ...${rest}
      field=${field}
      value=${null}
      onChange=${(id) => id && !value.includes(id) && onChange([...value, id])}
  /></span>`;
}

function Chosen({ field, id, onRemove }) {
  const t = useWords();
  const label = useLabel(field, id);
  return html`<${Tag}>
    ${label} <${Button} kind="ghost" icon="close" label=${t(`Take ${label} away`, `移除${label}`)} onClick=${onRemove} />
      </${Tag}>`;
}
