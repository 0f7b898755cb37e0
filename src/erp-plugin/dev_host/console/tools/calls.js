// @ts-check
// Recent calls, and everything that each call did.
import {
  clock,
  count,
  duration,
  go,
  html,
  query,
  useAsk,
  useEffect,
  useLoaded,
  useSession,
  useState,
  useStream,
  useThrottled,
  useWords,
} from "../lib.js";
import { Button, Code, Empty, Loaded, Page, Problem, Select, Tag, toast, useDoing } from "../ui.js";

export function Calls({ id }) {
  const t = useWords();
  const ask = useAsk();
  const { tenants } = useSession();
  const [tenant, setTenant] = useState("");
  const [failed, setFailed] = useState(false);
  const [chosen, setChosen] = useState(new Set());
  const calls = useLoaded(
    () => ask.dev("GET", `/_dev/calls${query({ tenant, failed: failed || undefined })}`),
    [tenant, failed],
  );
  const again = useThrottled(calls.reload, 200);
  useStream(["call", "request", "connected"], again);
  const items = calls.value?.items ?? [];
  const [busy, run] = useDoing();
  const [scenario, setScenario] = useState(null);
  const make = (write) =>
    run("scenario", async () => {
      const made = await ask.dev("POST", "/_dev/scenarios", {
        calls: [...chosen].sort((a, b) => a - b),
        name: t("recorded in the console", "控制台录制"),
        write,
      });
      setScenario(made);
      if (made.file) toast(t(`Written to ${made.file}`, `已写入 ${made.file}`));
    });
  return html`<${Page} title=${t("Calls", "调用")} aside=${html`
      <${Select} aria-label=${t("Tenant", "租户")} value=${tenant}
        options=${tenants.map((name) => ({ value: name, label: name }))} empty=${t("All tenants", "全部租户")}
          onChange=${setTenant} />
      <label class="check">
        <input type="checkbox" checked=${failed} onChange=${(event) => setFailed(event.target.checked)}
          /> ${t("Only failures", "仅失败")}</label>
      <${Button} icon="tests" disabled=${chosen.size === 0} busy=${busy === "scenario"} onClick=${() => make(false)}>
        ${t("Make this a scenario", "生成测试场景")}</${Button}>`}>
    ${
      scenario &&
      html`<section class="card"><div class="toolbar"><h3>${t("Scenario", "测试场景")}</h3><span class="grow"></span>
      <${Button} kind="primary" disabled=${Boolean(scenario.file)} onClick=${() => make(true)}>
        ${scenario.file ?? t("Write to tests/", "写入 tests/")}</${Button}>
      <${Button} kind="ghost" icon="close" label=${t("Close", "关闭")} onClick=${() => setScenario(null)} /></div>
        <${Code} value=${scenario.text} /></section>`
    }
    <div class="split"><div class="timeline" role="list" aria-label=${t("Calls", "调用")} tabindex="0">
      ${calls.error && html`<${Problem} error=${calls.error} />`}
        ${calls.value && items.length === 0 && html`<${Empty}>${t("Nothing was called yet.", "暂无调用。")}</${Empty}>`}
      ${items.map(
        (call) =>
          html`<div
            key=${call.id}
            role="listitem"
            class=${`call-line${String(call.id) === id ? " current" : ""}${call.error ? " failed" : ""}`}
          >
            <input
              type="checkbox"
              disabled=${call.kind !== "call"}
              aria-label=${t(`Choose call ${call.id}`, `选择调用 ${call.id}`)}
              checked=${chosen.has(call.id)}
              onChange=${() => {
                const next = new Set(chosen);
                if (!next.delete(call.id)) next.add(call.id);
                setChosen(next);
              }}
            />
            <a href=${`#/calls/${call.id}`} aria-current=${String(call.id) === id ? "true" : undefined}>
              <span class="label">${call.kind === "call" ? html`<b>${call.plugin}</b> ` : ""}${call.label}</span>
              <span class="meta"
                >${`${clock(call.began_ms)} · ${duration(call.microseconds)}`}
                ${call.fuel !== undefined ? ` · ${count(call.fuel)} fuel` : ""}
                ${call.rows > 0 && ` · ${t(`${call.rows} rows`, `${call.rows} 行`)}`}
                ${call.status ? ` · ${call.status}` : ""} · ${call.tenant ?? "—"}</span
              ></a
            >
          </div>`,
      )}
    </div><div class="call-detail">
      ${id ? html`<${Call} key=${id} id=${id} />` : html`<${Empty}>${t("Choose a call.", "请选择一个调用。")}</${Empty}>`}
        </div></div></${Page}>`;
}

function Call({ id }) {
  const t = useWords();
  const ask = useAsk();
  const { projects } = useSession();
  const call = useLoaded(() => ask.dev("GET", `/_dev/calls/${id}`), [id]);
  const [replayed, setReplayed] = useState(null);
  const [busy, run] = useDoing();
  return html`<${Loaded} of=${call} lines=${8}>${(value) => {
    const project = projects.find((one) => one.plugin === value.plugin);
    return html`<header class="call-head">
        <h2>${value.label}</h2>
        ${
          value.kind === "call" &&
          html`<${Button} icon="refresh" busy=${busy === "replay"}
          onClick=${() =>
            run("replay", async () =>
              setReplayed(await ask.dev("POST", `/_dev/calls/${id}/replay`, {})),
            )}>${t("Replay", "重放")}</${Button}>`
        }
      </header>
      <dl class="facts">
        ${[
          [t("Plugin", "插件"), value.plugin && `${value.plugin} ${value.version}`],
          [t("Tenant", "租户"), value.tenant],
          [t("User", "用户"), value.user],
          [t("Began", "开始"), clock(value.began_ms)],
          [t("Took", "耗时"), duration(value.microseconds)],
          [t("Fuel", "燃料"), value.fuel !== undefined && count(value.fuel)],
          [t("Memory", "内存"), value.memory_bytes !== undefined && `${Math.round(value.memory_bytes / 1024)} KB`],
          [t("Status", "状态码"), value.status],
          [t("Request", "请求"), value.request_id],
        ]
          .filter(([, fact]) => fact)
          .map(
            ([name, fact]) =>
              html`<div key=${name}>
                <dt>${name}</dt>
                <dd>${fact}</dd>
              </div>`,
          )}
      </dl>
      ${
        replayed &&
        html`<section class="card" role="status">
          <h3>${t("Replay", "重放")}</h3>
          ${
            replayed.differences.length === 0
              ? html`<p><${Tag} color="green">${t("did the same", "结果一致")}
                </${Tag}> ${count(replayed.fuel_before)} → ${count(replayed.fuel)} fuel</p>`
              : html`<p><${Tag} color="red">${t("differs", "结果不同")}</${Tag}></p><ul>
                ${replayed.differences.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`
          }
        </section>`
      }
      ${value.error && html`<${Failure} error=${value.error} project=${project} />`}
      ${value.quirks?.map((sentence) => html`<p class="note" key=${sentence}>${sentence}</p>`)}
      ${
        value.invocation &&
        html`<h3>${t("Called with", "调用参数")}</h3>
          <${Code} value=${value.invocation} />`
      }
      ${
        value.host_calls?.length > 0 &&
        html`<h3>${t("Host calls", "宿主调用")} (${value.host_calls.length})</h3>
          <ol class="host-calls">
            ${value.host_calls.map(
              (one, index) =>
                html`<li key=${index}>
                  <details>
                    <summary>
                      <b class=${one.error ? "error-text" : ""}>${one.function}</b> <code>${one.subject}</code>
                      <span class="meta"
                        >${count(one.fuel)} fuel${one.rows ? ` · ${t(`${one.rows} rows`, `${one.rows} 行`)}` : ""}
                        ${one.error ? ` · ${one.error}` : ""}</span
                      >
                    </summary>
                    <h4>${t("Arguments", "参数")}</h4>
                    <${Code} value=${one.arguments} />
                    <h4>${t("Result", "结果")}</h4>
                    <${Code} value=${one.result} /> ${
                      one.sql.length > 0 &&
                      html`<h4>SQL</h4>
                        <${Code} value=${one.sql.join("\n")} />`
                    }
                    ${
                      replayed?.frames[index]?.length > 0 &&
                      html`<h4>${t("Called from", "调用位置")}</h4>
                        <${Code} value=${replayed.frames[index].join("\n")} />`
                    }
                  </details>
                </li>`,
            )}
          </ol>`
      }
      ${
        value.changes?.length > 0 &&
        html`<h3>${t("Rows", "数据变更")} (${value.changes.length})</h3>
          ${value.changes.map((change, index) => html`<${Change} key=${index} change=${change} />`)}`
      }
      ${
        value.events?.length > 0 &&
        html`<h3>${t("Events", "事件")}</h3>
          ${value.events.map(
            (event, index) =>
              html`<div key=${index}><code>${event.type}</code> <${Code} value=${event.payload} /></div>`,
          )}`
      }
      ${
        value.logs?.length > 0 &&
        html`<h3>${t("Log", "日志")}</h3>
          <ul class="log">
            ${value.logs.map(
              (line, index) => html`<li key=${index} class=${line.level}><b>${line.level} </b> ${line.message}</li>`,
            )}
          </ul>`
      }
      ${
        value.result &&
        html`<h3>${t("Result", "结果")}</h3>
          <${Code} value=${value.result} />`
      }`;
  }}</${Loaded}>`;
}

/** A row before and after, field by field. */
export function Change({ change }) {
  const names = [...new Set([...Object.keys(change.before ?? {}), ...Object.keys(change.after ?? {})])];
  const text = (value) =>
    value === undefined || value === null ? "—" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return html`<div class="change"><header>
    <${Tag} color=${{ insert: "green", delete: "red", update: "blue" }[change.kind]}>${change.kind}</${Tag}>
    <a href=${`#/data/${change.entity.replace(".", "/")}/${change.id}`}>${change.entity} ${change.id.slice(-8)}
      </a> <span class="meta">v${change.version}</span></header>
    <table><tbody>${names
      .filter((name) => change.kind !== "update" || text(change.before?.[name]) !== text(change.after?.[name]))
      .map(
        (name) =>
          html`<tr key=${name}>
            <th scope="row">${name}</th>
            ${change.kind !== "insert" && html`<td class="before">${text(change.before?.[name])}</td>`}
            ${change.kind !== "delete" && html`<td class="after">${text(change.after?.[name])}</td>`}
          </tr>`,
      )}</tbody></table></div>`;
}

/** Why a call failed, with the lines of the source if the project has them. */
function Failure({ error, project }) {
  const ask = useAsk();
  const frames = error.frames ?? [];
  // The innermost place in the developer's own source, not in generated code or libraries.
  const places = frames
    .map((frame) => frame.match(/ at (.+?):(\d+)/))
    .filter((found) => found && project && found[1].startsWith(`${project.root}/src/`));
  const own =
    places.find((found) => !/\/src\/(erp\/|bindings)/.test(found[1])) ??
    error.message.match(/panicked at (src\/[^:]+):(\d+)/);
  const source = useLoaded(
    async () =>
      own && project
        ? ask.dev("GET", `/_dev/source${query({ plugin: project.plugin, file: own[1], line: own[2] })}`)
        : null,
    [own?.[0]],
  );
  return html`<section class="card failure" role="alert">
    <h3><code>${error.code}</code></h3>
    <p>${error.message}</p>
    ${
      source.value &&
      html`<div class="source" data-testid="source">
        <header>${source.value.file}:${own[2]}</header>
        <pre tabindex="0">
${source.value.lines.map(
            (line) =>
              html`<span key=${line.number} class=${line.is_it ? "it" : ""}>
                ${String(line.number).padStart(4)} ${line.text}
              </span>`,
          )}</pre>
      </div>`
    }
    ${
      frames.length > 0 &&
      html`<ol class="frames">
        ${frames.map((frame, index) => html`<li key=${index}>${frame}</li>`)}
      </ol>`
    }
  </section>`;
}
