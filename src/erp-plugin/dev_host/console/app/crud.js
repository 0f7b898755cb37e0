// @ts-check
// Rows of an entity as a list: search, filters, order, pages, forms, buttons, import and export.
import {
  go,
  html,
  query,
  rowsPath,
  useAsk,
  useEffect,
  useLoaded,
  useMemo,
  useSession,
  useSettled,
  useState,
  useStream,
  useThrottled,
  useWords,
} from "../lib.js";
import { Button, Confirm, Dialog, Icon, Loaded, Problem, Select, Table, Tag, toast, useDoing } from "../ui.js";
import { RowForm } from "./form.js";
import { Input, Shown, usePeople } from "./values.js";

const PAGE_SIZE = 20;
const MAX_LABELS = 200;
// One shared empty list, so that an empty result causes no new request.
const NONE = [];

/** Splits the ids of each field into requests of at most `MAX_LABELS` ids. */
function* parts(fields) {
  for (const [name, ids] of Object.entries(fields)) {
    for (let at = 0; at < ids.length; at += MAX_LABELS) yield { [name]: ids.slice(at, at + MAX_LABELS) };
  }
}

/** Labels of the rows that a page of rows refers to: field → id → label. */
export function useLabels(plugin, model, rows, columns) {
  const ask = useAsk();
  const { user } = useSession();
  const wanted = useMemo(() => {
    const fields = {};
    for (const field of model?.fields ?? []) {
      if (!field.ref || (columns && !columns.includes(field.name))) continue;
      const ids = new Set(rows.flatMap((row) => row.data[field.name] ?? []));
      if (ids.size) fields[field.name] = [...ids];
    }
    return fields;
  }, [rows, model]);
  const key = JSON.stringify(wanted);
  const found = useLoaded(async () => {
    const labels = {};
    for (const part of parts(wanted)) {
      const told = await ask.app("POST", rowsPath(plugin, model.entity, "/resolve-labels"), { fields: part });
      for (const [name, own] of Object.entries(told)) labels[name] = { ...labels[name], ...own };
    }
    return labels;
  }, [key, user.eyes]);
  return found.value ?? {};
}

/** The list of rows with its actions. `page` is the model of the page; without one, all fields are shown. */
export function Rows({ plugin, entity, models, page, fixed, small }) {
  const t = useWords();
  const ask = useAsk();
  const { user } = useSession();
  const people = usePeople();
  const model = models[entity];
  const [search, setSearch] = useState("");
  const [filters, setFilters] = useState({});
  const [order, setOrder] = useState(null);
  const [number, setNumber] = useState(1);
  const [open, setOpen] = useState(null);
  const [busy, run] = useDoing();
  const wanted = useSettled(search, 200);
  const filter = Object.fromEntries(
    Object.entries({ ...filters, ...fixed }).filter(
      ([, value]) => value !== "" && value !== null && value !== undefined,
    ),
  );
  const filterKey = Object.keys(filter).length ? JSON.stringify(filter) : "";
  useEffect(() => setNumber(1), [wanted, filterKey, order, user.user]);
  const rows = useLoaded(() => {
    return ask.app(
      "GET",
      rowsPath(
        plugin,
        entity,
        query({
          page: number,
          page_size: small ? 10 : PAGE_SIZE,
          search: wanted,
          filter: filterKey,
          sort_by: order?.by,
          sort_order: order && (order.descending ? "desc" : "asc"),
        }),
      ),
    );
  }, [plugin, entity, number, wanted, filterKey, order, user.eyes]);
  const again = useThrottled(rows.reload, 150);
  useStream(["change"], (entry) => entry.data.entity === `${plugin}.${entity}` && again());
  const items = rows.value?.items ?? NONE;
  const labels = useLabels(plugin, model, items, null);
  const conditional = model?.actions.some((action) => action.has_condition);
  const available = useLoaded(
    async () =>
      conditional && items.length
        ? ask.app("POST", rowsPath(plugin, entity, "/available-actions"), { ids: items.map((row) => row.id) })
        : null,
    [items],
  );
  if (!model) return html`<${Problem} error=${{ message: t("You may not see these rows.", "没有查看权限。") }} />`;

  const field = (name) => model.fields.find((one) => one.name === name);
  const may = (action) =>
    page ? page.actions.includes(action) : model.can.manage && ["create", "edit", "delete"].includes(action);
  const form = page?.form ?? model.fields.filter((one) => !one.read_only).map((one) => one.name);
  const names = (page?.columns ?? model.fields.map((one) => one.name))
    .filter((name) => !fixed || !(name in fixed))
    .slice(0, small ? 5 : 20);
  const own = page ? model.actions.filter((action) => page.actions.includes(action.name)) : model.actions;
  const buttons = (row) =>
    own.filter((action) => !action.has_condition || available.value?.[row.id]?.includes(action.name));
  const act = (action, row) =>
    run(
      `${row.id} ${action.name}`,
      async () => {
        await ask.app("POST", rowsPath(plugin, entity, `/${row.id}/actions/${action.name}`), {});
        rows.reload();
      },
      t(`${action.label}: done`, `${action.label}：已完成`),
    );
  // The column whose cells open the row, also by keyboard.
  const opener =
    page?.detail || may("edit") ? (names.includes(model.title_field) ? model.title_field : names[0]) : null;
  const columns = names.map((name) => ({
    key: name,
    label: field(name)?.display_name ?? name,
    sort: field(name)?.sortable && !small,
    align: field(name)?.is_number ? "right" : "",
    cell: (row) => {
      if (!field(name)) return null;
      const shown = html`<${Shown} field=${field(name)} value=${row.data[name]} labels=${labels} people=${people} />`;
      if (name !== opener) return shown;
      return page?.detail
        ? html`<a class="opener" href=${`#/app/${plugin}/${page.detail}/${row.id}`}>${shown}</a>`
        : html`<button type="button" class="button link opener" onClick=${() => setOpen({ kind: "form", row })}>
            ${shown}
          </button>`;
    },
  }));
  if (may("edit") || may("delete") || own.length) {
    columns.push({
      key: "-actions",
      label: "",
      align: "actions",
      cell: (row) =>
        html`<span class="row-actions">
          ${buttons(row).map(
            (action) => html`<${Button} key=${action.name} kind="link"
            busy=${busy === `${row.id} ${action.name}`} onClick=${() => act(action, row)}>${action.label}</${Button}>`,
          )}
          ${
            may("edit") &&
            html`<${Button}
              kind="ghost"
              icon="edit"
              label=${t("Edit", "编辑")}
              onClick=${() => setOpen({ kind: "form", row })}
            />`
          }
          ${
            may("delete") &&
            html`<${Button}
              kind="ghost"
              icon="trash"
              label=${t("Delete", "删除")}
              onClick=${() => setOpen({ kind: "delete", row })}
            />`
          }</span
        >`,
    });
  }
  const total = rows.value?.total ?? 0;
  const size = small ? 10 : PAGE_SIZE;
  const pages = Math.max(1, Math.ceil(total / size));
  // The last row of the last page may be gone.
  useEffect(() => {
    if (rows.value && number > pages) setNumber(pages);
  }, [rows.value, pages]);
  const saved = () => {
    setOpen(null);
    rows.reload();
  };
  return html`<div class=${`rows${small ? " small" : ""}`}>
    <div class="toolbar">
      ${
        page?.search &&
        html`<label class="search"
          ><span class="hidden">${t("Search", "搜索")}</span><${Icon} name="search" />
          <input
            type="search"
            placeholder=${t("Search", "搜索")}
            value=${search}
            onInput=${(event) => setSearch(event.target.value)}
        /></label>`
      }
      ${(page?.filters ?? [])
        .filter(field)
        .map(
          (name) =>
            html`<${Filter}
              key=${name}
              field=${field(name)}
              value=${filters[name]}
              onChange=${(value) => setFilters({ ...filters, [name]: value })}
            />`,
        )}
      <span class="grow"></span>
      ${
        may("import") &&
        html`<${Button} icon="import" onClick=${() => setOpen({ kind: "import" })}>
        ${t("Import", "导入")}</${Button}>`
      }
      ${may("export") && html`<${Exports} plugin=${plugin} entity=${entity} search=${wanted} filter=${filterKey} />`}
      ${
        may("create") &&
        html`<${Button} kind=${small ? "plain" : "primary"} icon="plus"
        onClick=${() => setOpen({ kind: "form" })}>${t("New", "新建")}</${Button}>`
      }
    </div>
    <${Loaded} of=${rows} lines=${6}>${() =>
      html`<${Table}
        label=${model.display_name}
        columns=${columns}
        rows=${items}
        keyOf=${(row) => row.id}
        onRow=${
          page?.detail
            ? (row) => go(`#/app/${plugin}/${page.detail}/${row.id}`)
            : may("edit")
              ? (row) => setOpen({ kind: "form", row })
              : undefined
        }
        order=${order}
        onOrder=${(by) =>
          setOrder(order?.by === by ? (order.descending ? null : { by, descending: true }) : { by, descending: false })}
        empty=${
          search || Object.values(filters).some(Boolean)
            ? t("Nothing matches.", "没有匹配的记录。")
            : t("No rows yet.", "暂无数据。")
        }
      />`}</${Loaded}>
    ${
      (!small || total > size) &&
      html`<nav class="pager" aria-label=${t("Pages", "分页")}>
        <span>${t(`${total} in all`, `共 ${total} 条`)}</span>
        <${Button}
          kind="ghost"
          icon="left"
          label=${t("Previous page", "上一页")}
          disabled=${number <= 1}
          onClick=${() => setNumber(number - 1)}
        />
        <span aria-current="page">${number} / ${pages}</span>
        <${Button}
          kind="ghost"
          icon="right"
          label=${t("Next page", "下一页")}
          disabled=${number >= pages}
          onClick=${() => setNumber(number + 1)}
        />
      </nav>`
    }
    ${
      open?.kind === "form" &&
      html`<${RowForm}
        plugin=${plugin}
        entity=${entity}
        models=${models}
        fields=${[...form, ...model.fields.filter((one) => one.computed).map((one) => one.name)]}
        row=${open.row}
        preset=${fixed}
        children=${page?.children}
        onClose=${() => setOpen(null)}
        onSaved=${saved}
      />`
    }
    ${
      open?.kind === "delete" &&
      html`<${Confirm}
        title=${t(`Delete this ${model.display_name}?`, `删除${model.display_name}？`)}
        verb=${t("Delete", "删除")}
        text=${String(open.row.data[model.title_field] ?? open.row.id)}
        onNo=${() => setOpen(null)}
        onYes=${async () => {
          await ask.app("DELETE", rowsPath(plugin, entity, `/${open.row.id}`));
          toast(t("Deleted", "已删除"));
          saved();
        }}
      />`
    }
    ${open?.kind === "import" && html`<${Import} plugin=${plugin} entity=${entity} model=${model} onClose=${saved} />`}
  </div>`;
}

function Filter({ field, value, onChange }) {
  const t = useWords();
  const id = `filter-${field.name}`;
  if (field.input === "select") {
    return html`<label class="filter"
      ><span>${field.display_name}</span
      ><${Select} value=${value} options=${field.options} empty=${t("All", "全部")} onChange=${onChange}
    /></label>`;
  }
  if (field.input === "switch") {
    const options = [
      { value: "true", label: t("yes", "是") },
      { value: "false", label: t("no", "否") },
    ];
    return html`<label class="filter"
      ><span>${field.display_name}</span
      ><${Select}
        value=${value === undefined ? "" : String(value)}
        options=${options}
        empty=${t("All", "全部")}
        onChange=${(chosen) => onChange(chosen === "" ? undefined : chosen === "true")}
    /></label>`;
  }
  return html`<span class="filter"
    ><label for=${id}>${field.display_name}</label
    ><${Input}
      id=${id}
      field=${{ ...field, ref: field.ref && { ...field.ref, cascade_from: null } }}
      value=${value}
      onChange=${onChange}
  /></span>`;
}

function Exports({ plugin, entity, search, filter }) {
  const t = useWords();
  const { user } = useSession();
  const [busy, run] = useDoing();
  const save = (format) =>
    run(format, async () => {
      const path = rowsPath(plugin, entity, `/export${query({ format, search, filter })}`);
      const response = await fetch(path, { headers: { authorization: `Bearer ${user.token}` } });
      if (!response.ok) throw new Error((await response.json()).message);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await response.blob());
      link.download = `${entity}.${format}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  return html`<span class="pair"><${Button} icon="export" busy=${busy === "csv"} onClick=${() => save("csv")}>
    ${t("Export", "导出")}</${Button}>
    <${Button} busy=${busy === "json"} onClick=${() => save("json")}>JSON</${Button}></span>`;
}

function Import({ plugin, entity, model, onClose }) {
  const t = useWords();
  const { send } = useAsk();
  const { user } = useSession();
  const [file, setFile] = useState(null);
  const [result, setResult] = useState(null);
  const [error, setError] = useState(null);
  const [busy, run] = useDoing();
  const names = model.fields.filter((field) => !field.read_only).map((field) => field.name);
  const bring = (dryRun) =>
    run("import", async () => {
      setError(null);
      try {
        const isJson = file.name.endsWith(".json");
        const text = await file.text();
        const raw = isJson
          ? JSON.stringify({ rows: [].concat(JSON.parse(text).rows ?? JSON.parse(text)), dry_run: dryRun })
          : text;
        const path = rowsPath(plugin, entity, `/import${dryRun && !isJson ? "?dry_run=true" : ""}`);
        setResult(await send(user.token, "POST", path, { raw, type: isJson ? "application/json" : "text/csv" }));
      } catch (failed) {
        setError(failed);
      }
    });
  useEffect(() => {
    if (file) bring(true);
  }, [file]);
  return html`<${Dialog} title=${t(`Import ${model.display_name}`, `导入${model.display_name}`)} onClose=${onClose}
    footer=${html`
      <${Button} onClick=${onClose}>${t("Close", "关闭")}</${Button}>
      <${Button} kind="primary" busy=${busy === "import"}
        disabled=${!file || !result?.dry_run || result.accepted === 0} onClick=${() => bring(false)}>
        ${result?.dry_run ? t(`Import ${result.accepted} rows`, `导入 ${result.accepted} 条`) : t("Import", "导入")}
          </${Button}>`}>
    <p>${t("A CSV whose first line names the fields, or JSON.", "CSV（首行为字段名或标签），或 JSON。")} <code>${names.join(", ")}
      </code></p>
    <input type="file" accept=".csv,.json" aria-label=${t("File", "文件")} onClick=${(event) => {
      event.target.value = "";
    }} onChange=${(event) => setFile(event.target.files[0])} />
    <${Problem} error=${error} />
    ${
      result &&
      html`<p role="status"><${Tag} color="green">
        ${
          result.dry_run
            ? t(`${result.accepted} would come in`, `可导入 ${result.accepted} 条`)
            : t(`${result.imported} came in`, `已导入 ${result.imported} 条`)
        }</${Tag}>
      ${
        result.refused > 0 &&
        html` <${Tag} color="red">${t(`${result.refused} refused`, `${result.refused} 条被拒绝`)}
        </${Tag}>`
      }</p>
      <ul class="import-errors">
        ${result.errors
          .slice(0, 50)
          .map((one) => html`<li key=${one.row}>${t(`row ${one.row}`, `第 ${one.row} 行`)}: ${one.message}</li>`)}${
          result.refused > 50 &&
          html`<li>${t(`and ${result.refused - 50} more`, `还有 ${result.refused - 50} 条`)}</li>`
        }</ul>`
    }
  </${Dialog}>`;
}
