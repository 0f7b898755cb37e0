// @ts-check
// The plugins of the host: uploaded, installed, enabled, disabled, uninstalled and purged.
import { NumberInput } from "../app/values.js";
import {
  html,
  moment,
  useAsk,
  useLoaded,
  useRef,
  useSession,
  useState,
  useStream,
  useThrottled,
  useWords,
} from "../lib.js";
import {
  Button,
  Code,
  Confirm,
  Dialog,
  Empty,
  Field,
  Loaded,
  Page,
  Problem,
  Select,
  Table,
  Tag,
  toast,
  useDoing,
} from "../ui.js";

const COLORS = { running: "green", error: "red", disabled: "orange", installed: "blue" };

export function Plugins() {
  const t = useWords();
  const ask = useAsk();
  const { admin } = useSession();
  const plugins = useLoaded(() => ask.dev("GET", "/api/v1/admin/plugins"), []);
  const again = useThrottled(plugins.reload, 150);
  useStream(["reload", "request", "call"], again);
  const [busy, run] = useDoing();
  const [open, setOpen] = useState(null);
  const words = {
    running: t("running", "运行中"),
    error: t("error", "出错"),
    disabled: t("disabled", "已停用"),
    installed: t("installed", "已安装"),
    uploaded: t("uploaded", "已上传"),
    uninstalled: t("uninstalled", "已卸载"),
  };
  const act = (id, verb, method = "POST") =>
    run(
      `${id} ${verb}`,
      async () => {
        await ask.dev(method, `/api/v1/admin/plugins/${id}${verb === "uninstall" ? "" : `/${verb}`}`);
        plugins.reload();
      },
      t("Done", "已完成"),
    );
  const verbs = (plugin) =>
    ({
      uploaded: [["install", t("Install", "安装")]],
      installed: [["enable", t("Enable", "启用")]],
      disabled: [["enable", t("Enable", "启用")]],
      running: [["disable", t("Disable", "停用")]],
      error: [["enable", t("Start again", "重新启动")]],
      uninstalled: [["install", t("Install", "安装")]],
    })[plugin.status] ?? [];
  const columns = [
    {
      key: "name",
      label: t("Plugin", "插件"),
      cell: (plugin) =>
        html`<button type="button" class="button link" onClick=${() => setOpen({ kind: "detail", plugin })}>
            ${plugin.name}</button
          >${" "} <code>${plugin.id}</code>`,
    },
    { key: "version", label: t("Version", "版本"), cell: (plugin) => plugin.version },
    {
      key: "status",
      label: t("State", "状态"),
      cell: (plugin) =>
        html`<${Tag} color=${COLORS[plugin.status]}>${words[plugin.status] ?? plugin.status}</${Tag}>
          ${plugin.error && html` <span class="error-text">${plugin.error}</span>`}`,
    },
    {
      key: "-",
      label: "",
      align: "actions",
      cell: (plugin) => html`<span class="row-actions">
      ${verbs(plugin).map(
        ([verb, label]) => html`<${Button} key=${verb} kind="link"
        busy=${busy === `${plugin.id} ${verb}`} onClick=${() => act(plugin.id, verb)}>${label}</${Button}>`,
      )}
      <${Button} kind="link" onClick=${() => setOpen({ kind: "settings", plugin })}>${t("Settings", "设置")}</${Button}>
      ${
        plugin.status !== "uninstalled"
          ? html`<${Button} kind="link" onClick=${() => setOpen({ kind: "uninstall", plugin })}>${t("Uninstall", "卸载")}
            </${Button}>`
          : html`<${Button} kind="link" onClick=${() => setOpen({ kind: "purge", plugin })}>${t("Purge", "清除数据")}
            </${Button}>`
      }</span>`,
    },
  ];
  return html`<${Page} title=${t("Plugins", "插件")}
    aside=${html`<${Upload} token=${admin.token} onDone=${plugins.reload} />`}>
    <${Drop} token=${admin.token} onDone=${plugins.reload} />
    <${Loaded} of=${plugins}>
      ${(items) =>
        html`<${Table}
          label=${t("Plugins", "插件")}
          columns=${columns}
          rows=${items}
          keyOf=${(plugin) => plugin.id}
          empty=${t("No plugins yet.", "暂无插件。")}
        />`}</${Loaded}>
    <${Generations} />
    ${open?.kind === "detail" && html`<${Detail} plugin=${open.plugin} onClose=${() => setOpen(null)} />`}
    ${open?.kind === "settings" && html`<${Settings} plugin=${open.plugin} onClose=${() => setOpen(null)} />`}
    ${
      open?.kind === "uninstall" &&
      html`<${Confirm}
        title=${t("Uninstall?", "卸载？")}
        verb=${t("Uninstall", "卸载")}
        text=${t("Its tables and rows stay.", "数据表和数据会保留。")}
        onNo=${() => setOpen(null)}
        onYes=${async () => {
          await ask.dev("DELETE", `/api/v1/admin/plugins/${open.plugin.id}`);
          setOpen(null);
          plugins.reload();
        }}
      />`
    }
    ${
      open?.kind === "purge" &&
      html`<${Confirm}
        title=${t("Delete all its rows?", "清除全部数据？")}
        verb=${t("Delete everything", "全部清除")}
        text=${t("The tables of all tenants go. This cannot be taken back.", "所有租户的数据表都会被删除，且无法恢复。")}
        onNo=${() => setOpen(null)}
        onYes=${async () => {
          await ask.dev("POST", `/api/v1/admin/plugins/${open.plugin.id}/purge`);
          setOpen(null);
          plugins.reload();
        }}
      />`
    }
  </${Page}>`;
}

/** The generations of the followed projects: which one serves, and which gets a share of the requests. */
function Generations() {
  const t = useWords();
  const ask = useAsk();
  const { projects, reloadProjects } = useSession();
  const [busy, run] = useDoing();
  const [shares, setShares] = useState({});
  const words = {
    start: t("start", "启动"),
    manifest: t("manifest", "清单"),
    build: t("build", "构建"),
    reset: t("rows given up", "放弃数据"),
  };
  return html`${projects.map(
    (project) =>
      project.generations.length > 0 &&
      html`<section class="card" key=${project.project}>
        <h3>${t("Generations of", "版本代：")} ${project.project}</h3>
        <ul class="generations">
          ${project.generations.map((one) => {
            const key = `${project.plugin} ${one.number}`;
            return html`<li key=${one.number}>
              <b>#${one.number}</b> ${one.version}
              <span class="meta"
                >${moment(new Date(one.at_ms).toISOString())} · ${words[one.why] ?? one.why} · ${one.milliseconds}
                ms</span
              ><span class="grow"></span> ${
                one.number === project.live
                  ? html`<${Tag} color="green">${t("serves", "服务中")}</${Tag}>`
                  : html`
          <input class="share" inputmode="numeric" placeholder="%"
            aria-label=${t(`Share of generation ${one.number} in percent`, `第 ${one.number} 代的流量百分比`)}
              value=${shares[key] ?? ""} onInput=${(event) => setShares({ ...shares, [key]: event.target.value })} />
          <${Button} kind="link" disabled=${!/^\d+$/.test(shares[key] ?? "")} onClick=${() =>
            run(
              `${key} share`,
              () =>
                ask.dev("POST", `/_dev/projects/${project.plugin}/generations/${one.number}/canary`, {
                  percent: Number(shares[key]),
                }),
              (told) => t(`${told.percent} % of the requests`, `${told.percent} % 的请求`),
            )}>${t("Give it a share", "分配流量")}</${Button}>
          <${Button} kind="link" busy=${busy === key} onClick=${() =>
            run(
              key,
              async () => {
                await ask.dev("POST", `/_dev/projects/${project.plugin}/generations/${one.number}/activate`);
                reloadProjects();
              },
              t(`Generation ${one.number} serves`, `第 ${one.number} 代已生效`),
            )}>${t("Serve this one", "切换到此代")}</${Button}>`
              }
            </li>`;
          })}
        </ul>
      </section>`,
  )}`;
}

/** Uploads a package, installs it and starts it, up to the first step that fails. */
function useUpload(token, onDone) {
  const t = useWords();
  const { send, dev } = useAsk();
  const [busy, run] = useDoing();
  const [error, setError] = useState(null);
  const upload = (file) =>
    run("upload", async () => {
      setError(null);
      try {
        const receipt = await send(token, "POST", "/api/v1/admin/plugins/upload", { raw: await file.arrayBuffer() });
        const { status } = await dev("GET", `/api/v1/admin/plugins/${receipt.id}`);
        if (status === "uploaded") await dev("POST", `/api/v1/admin/plugins/${receipt.id}/install`);
        if (status !== "running") await dev("POST", `/api/v1/admin/plugins/${receipt.id}/enable`);
        toast(t(`${receipt.id} ${receipt.version} runs`, `${receipt.id} ${receipt.version} 已运行`));
      } catch (failed) {
        setError(failed);
      }
      onDone();
    });
  return { busy, error, upload, clear: () => setError(null) };
}

function Upload({ token, onDone }) {
  const t = useWords();
  const input = useRef(null);
  const { busy, upload, error, clear } = useUpload(token, onDone);
  return html`<input ref=${input} type="file" accept=".erpx" class="hidden" tabindex="-1"
    aria-label=${t("Package", "插件包")} onChange=${(event) => event.target.files[0] && upload(event.target.files[0])} />
    <${Button} kind="primary" icon="import" busy=${busy} onClick=${() => input.current.click()}>${t("Upload", "上传")}
      </${Button}>
    ${
      error &&
      html`<${Dialog} title=${t("Refused", "被拒绝")} onClose=${clear}><${Refusal} error=${error} />
      </${Dialog}>`
    }`;
}

function Refusal({ error }) {
  const problems = Array.isArray(error.details) ? error.details : (error.details?.problems ?? error.details?.findings);
  return html`<${Problem} error=${error} />${
      problems &&
      html`<ul>
        ${problems.map((problem, index) => html`<li key=${index}>${problem.message ?? JSON.stringify(problem)}</li>`)}
      </ul>`
    }`;
}

function Drop({ token, onDone }) {
  const t = useWords();
  const [isOver, setOver] = useState(false);
  const { busy, error, upload } = useUpload(token, onDone);
  return html`<div
    class=${`drop${isOver ? " over" : ""}`}
    data-testid="drop"
    onDragOver=${(event) => {
      event.preventDefault();
      setOver(true);
    }}
    onDragLeave=${() => setOver(false)}
    onDrop=${(event) => {
      event.preventDefault();
      setOver(false);
      if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
    }}
  >
    ${busy ? t("Uploading…", "正在上传…") : t("Drop an .erpx here", "将 .erpx 拖放到此处")}
    ${error && html`<${Refusal} error=${error} />`}
  </div>`;
}

function Detail({ plugin, onClose }) {
  const t = useWords();
  const ask = useAsk();
  const path = `/api/v1/admin/plugins/${plugin.id}`;
  const detail = useLoaded(() => ask.dev("GET", path), [plugin.id]);
  const health = useLoaded(() => ask.dev("GET", `/api/v1/admin/plugins/${plugin.id}/health`), [plugin.id]);
  const upgrades = useLoaded(() => ask.dev("GET", `/api/v1/admin/plugins/${plugin.id}/upgrades`), [plugin.id]);
  const counters = useLoaded(() => ask.dev("GET", "/_dev/counters"), [plugin.id]);
  const [busy, run] = useDoing();
  const own = counters.value?.[plugin.id];
  return html`<${Dialog} title=${`${plugin.name} ${plugin.version}`} wide onClose=${onClose} footer=${html`
    <${Button} busy=${busy === "demo"} onClick=${() =>
      run(
        "demo",
        () => ask.dev("POST", `/api/v1/admin/plugins/${plugin.id}/demo`),
        (told) => t(`${told.rows} rows came`, `已加入 ${told.rows} 条示例数据`),
      )}>${t("Bring demo rows", "加入示例数据")}</${Button}>`}>
    <${Loaded} of=${health}>
      ${(value) => html`<p>${t("Health", "健康状况")}: <${Tag} color=${value.status === "healthy" ? "green" : "red"}>
        ${value.status}</${Tag}> ${value.error ?? ""}</p>`}</${Loaded}>
    ${
      own &&
      html`<p>
        ${t(
          `${own.calls} calls, ${own.errors} errors, longest ${own.longest_microseconds} µs`,
          `调用 ${own.calls} 次，出错 ${own.errors} 次，最长 ${own.longest_microseconds} µs`,
        )}
      </p>`
    }
    <h3>${t("Versions", "版本记录")}</h3>
    <${Loaded} of=${upgrades}>${(items) =>
      items.length
        ? html`<ul>
            ${items.map(
              (item) =>
                html`<li key=${item.upgrade}>
                  ${item.from_version} → ${item.to_version} · ${moment(item.at)}${" "}
                  ${item.rolled_back ? html`<${Tag}>${t("taken back", "已回退")}</${Tag}>` : ""}
                </li>`,
            )}
          </ul>`
        : html`<${Empty}>${t("No upgrades yet.", "暂无升级记录。")}</${Empty}>`}</${Loaded}>
    <${Loaded} of=${detail}>${(value) => html`<${Code} value=${value} />`}</${Loaded}></${Dialog}>`;
}

function Settings({ plugin, onClose }) {
  const t = useWords();
  const ask = useAsk();
  const path = `/api/v1/admin/plugins/${plugin.id}/config`;
  const settings = useLoaded(() => ask.dev("GET", path), [plugin.id]);
  const detail = useLoaded(() => ask.dev("GET", `/api/v1/admin/plugins/${plugin.id}`), [plugin.id]);
  const declared = detail.value?.settings ?? [];
  const [changed, setChanged] = useState({});
  const [error, setError] = useState(null);
  const save = async () => {
    try {
      await ask.dev("PUT", path, changed);
      toast(t("Saved", "已保存"));
      onClose();
    } catch (failed) {
      setError(failed);
    }
  };
  return html`<${Dialog} title=${t(`Settings of ${plugin.name}`, `${plugin.name}的设置`)} onClose=${onClose} footer=${
    declared.length > 0 &&
    html`
    <${Button} onClick=${onClose}>${t("Cancel", "取消")}</${Button}><${Button} kind="primary" onClick=${save}>
      ${t("Save", "保存")}</${Button}>`
  }>
    <${Problem} error=${error} />
    ${detail.value && declared.length === 0 && html`<${Empty}>${t("It has no settings.", "该插件没有设置项。")}</${Empty}>`}
    <${Loaded} of=${settings}>${(values) =>
      html`<div class="form">
        ${declared.map((field) => {
          const id = `setting-${field.key}`;
          const value = changed[field.key] ?? values[field.key];
          const set = (next) => setChanged({ ...changed, [field.key]: next });
          return html`<${Field} key=${field.key} id=${id} label=${field.label} help=${field.description}>
        ${
          field.setting_type === "boolean"
            ? html`<input
                id=${id}
                type="checkbox"
                class="switch"
                role="switch"
                checked=${value === true}
                onChange=${(event) => set(event.target.checked)}
              />`
            : field.setting_type === "select"
              ? html`<${Select} id=${id} value=${value} options=${field.options ?? []} onChange=${set} />`
              : field.setting_type === "number"
                ? html`<${NumberInput} id=${id} mode="decimal" value=${value} onChange=${set} />`
                : html`<input id=${id} value=${value ?? ""} onInput=${(event) => set(event.target.value)} />`
        }</${Field}>`;
        })}
      </div>`}</${Loaded}></${Dialog}>`;
}
