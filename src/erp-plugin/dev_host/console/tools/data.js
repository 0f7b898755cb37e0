// @ts-check
// The stored tables: all tenants, also deleted rows, with the history of each row and the calls that wrote it.
import {
  html,
  moment,
  query,
  useAsk,
  useLoaded,
  useSession,
  useState,
  useStream,
  useThrottled,
  useWords,
} from "../lib.js";
import { Button, Code, Empty, Loaded, Page, Problem, Select, Table, Tag, useDoing } from "../ui.js";

export function Data({ plugin, entity, row }) {
  const t = useWords();
  const ask = useAsk();
  const { tenants } = useSession();
  const tables = useLoaded(() => ask.dev("GET", "/_dev/tables"), []);
  const again = useThrottled(tables.reload, 300);
  useStream(["change", "reload"], again);
  const [tenant, setTenant] = useState("");
  const [deleted, setDeleted] = useState(false);
  return html`<${Page} title=${t("Data", "数据")} aside=${html` <${Select}
      aria-label=${t("Tenant", "租户")}
      value=${tenant}
      options=${tenants.map((name) => ({ value: name, label: name }))}
      empty=${t("All tenants", "全部租户")}
      onChange=${setTenant}
    />
    <label class="check"
      ><input type="checkbox" checked=${deleted} onChange=${(event) => setDeleted(event.target.checked)} />
      ${t("Deleted too", "包含已删除")}</label
    >`}>
    <div class="split"><nav class="table-list" aria-label=${t("Tables", "数据表")}><${Loaded} of=${tables}>${(items) =>
      items.length === 0
        ? html`<${Empty}>${t("No tables yet.", "暂无数据表。")}</${Empty}>`
        : html`<ul>
            ${items.map(
              (table) =>
                html`<li key=${table.table}>
                  <a
                    href=${`#/data/${table.plugin}/${table.entity}`}
                    aria-current=${table.plugin === plugin && table.entity === entity ? "page" : undefined}
                  >
                    <span>${table.entity}</span> <span class="meta">${table.plugin}</span><b>${table.rows}</b></a
                  >
                </li>`,
            )}
          </ul>`}</${Loaded}></nav>
    <div>${
      entity
        ? html`<${Rows}
            key=${`${plugin}.${entity}`}
            plugin=${plugin}
            entity=${entity}
            tenant=${tenant}
            deleted=${deleted}
            row=${row}
          />`
        : html`<${Sql} />`
    }</div></div></${Page}>`;
}

function Rows({ plugin, entity, tenant, deleted, row }) {
  const t = useWords();
  const ask = useAsk();
  const rows = useLoaded(
    () => ask.dev("GET", `/_dev/rows/${plugin}/${entity}${query({ tenant, deleted: deleted || undefined })}`),
    [plugin, entity, tenant, deleted],
  );
  const again = useThrottled(rows.reload, 200);
  useStream(["change"], (entry) => entry.data.entity === `${plugin}.${entity}` && again());
  const text = (value) =>
    value === undefined || value === null
      ? html`<span class="nothing">—</span>`
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);
  return html`${
    row &&
    html`<${History} plugin=${plugin} entity=${entity} id=${row} row=${rows.value?.find((one) => one.id === row)} />`
  }
    <${Loaded} of=${rows} lines=${6}>${(items) => {
      const names = [...new Set(items.flatMap((one) => Object.keys(one.data ?? {})))];
      const columns = [
        {
          key: "id",
          label: "id",
          cell: (one) => html`<a href=${`#/data/${plugin}/${entity}/${one.id}`}><code>${one.id.slice(-8)}</code></a>`,
        },
        { key: "tenant", label: t("tenant", "租户"), cell: (one) => one.tenant_id },
        ...names.map((name) => ({ key: `f-${name}`, label: name, cell: (one) => text(one.data?.[name]) })),
        { key: "version", label: "v", align: "right", cell: (one) => one.version },
        {
          key: "updated",
          label: t("updated", "更新时间"),
          cell: (one) =>
            html`${moment(one.updated_at)}${" "}
            ${one.deleted_at && html`<${Tag} color="red">${t("deleted", "已删除")}</${Tag}>`}`,
        },
      ];
      return html`<${Table}
        label=${entity}
        columns=${columns}
        rows=${items}
        keyOf=${(one) => one.id}
        empty=${t("No rows.", "暂无数据。")}
      />`;
    }}</${Loaded}>`;
}

function History({ plugin, entity, id, row }) {
  const t = useWords();
  const ask = useAsk();
  const history = useLoaded(
    () => ask.dev("GET", `/_dev/history/${plugin}/${entity}/${id}${query({ tenant: row?.tenant_id })}`),
    [id, row?.version, row?.tenant_id],
  );
  const writers = useLoaded(() => ask.dev("GET", `/_dev/writers/${plugin}.${entity}/${id}`), [id, row?.version]);
  return html`<section class="card"><h3>${t("History", "历史")} <code>${id}</code></h3><${Loaded} of=${history}>${(
    items,
  ) =>
    html`<ol class="history" reversed>
      ${items.map(
        (item, index) => html`<li key=${index}>
    <${Tag} color=${{ insert: "green", delete: "red", update: "blue" }[item.action]}>${item.action}
      </${Tag}> v${item.version} · ${moment(item.at)}
    ${
      writers.value?.[item.version] &&
      html` · ${""}
        <a href=${`#/calls/${writers.value[item.version]}`}>
          ${t(`call ${writers.value[item.version]}`, `调用 ${writers.value[item.version]}`)}</a
        >`
    }</li>`,
      )}
    </ol>`}</${Loaded}>
    ${row && html`<${Code} value=${row.data} />`}</section>`;
}

function Sql() {
  const t = useWords();
  const ask = useAsk();
  const { plugins } = useSession();
  const [sql, setSql] = useState("select 1 as one");
  const [result, setResult] = useState(null);
  const [error, setError] = useState(null);
  const [busy, run] = useDoing();
  const plugin = plugins[0]?.id;
  const ask_ = () =>
    run("sql", async () => {
      try {
        setResult(await ask.dev("POST", "/_dev/sql", { sql, plugin }));
        setError(null);
      } catch (failed) {
        setError(failed);
      }
    });
  return html`<section class="card"><h3>SQL</h3><p class="meta">
    ${t("Reads only. Entities of the first plugin go by their names.", "只读。可直接使用第一个插件的实体名作为表名。")}</p>
    <textarea class="mono" rows="3" aria-label="SQL" value=${sql} onInput=${(event) => setSql(event.target.value)}
      onKeyDown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && ask_()}></textarea>
    <${Button} kind="primary" icon="play" busy=${busy === "sql"} onClick=${ask_}>${t("Run", "运行")}</${Button}>
      <${Problem} error=${error} />
    ${
      result &&
      html`<${Table}
        label=${t("Result", "结果")}
        columns=${result.columns.map((name, index) => ({
          key: `${index}`,
          label: name,
          cell: (one) =>
            one.values[index] === null
              ? "—"
              : typeof one.values[index] === "object"
                ? JSON.stringify(one.values[index])
                : String(one.values[index]),
        }))}
        rows=${result.rows.map((values, index) => ({ values, index }))}
        keyOf=${(one) => one.index}
        empty=${t("No rows.", "无结果。")}
      />`
    }</section>`;
}
