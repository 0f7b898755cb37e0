// @ts-check
// The types of pages, drawn from the models that the platform returns.
import {
  go,
  html,
  moment,
  query,
  rowsPath,
  useAsk,
  useEffect,
  useLoaded,
  useRef,
  useSession,
  useState,
  useStream,
  useThrottled,
  useWords,
} from "../lib.js";
import { Button, Confirm, Empty, Icon, Loaded, Page, Problem, Tabs, Tag, toast } from "../ui.js";
import { Rows, useLabels } from "./crud.js";
import { RowForm } from "./form.js";
import { Chart } from "./charts.js";
import { RefPicker, Shown, usePeople } from "./values.js";

/** A page by its address. Its model is loaded again when the plugin changes; the old page stays meanwhile. */
export function AppPage({ plugin, name, row }) {
  const ask = useAsk();
  const { user, language } = useSession();
  const keys = [plugin, name, user.eyes, language];
  const page = useLoaded(
    async () => ({ of: `${plugin}/${name}`, ...(await ask.app("GET", `/api/v1/plugins/${plugin}/pages/${name}`)) }),
    keys,
  );
  const entities = useLoaded(() => ask.app("GET", "/api/v1/plugin-registry/entities"), keys);
  const isOther = page.value?.of !== `${plugin}/${name}`;
  // A page of the previous user does not stay on the screen if this user may not see it.
  if (page.error && (isOther || page.error.status === 403))
    return html`<section class="page"><${Problem} error=${page.error} /></section>`;
  if (isOther || !entities.value) return html`<section class="page"><${Loaded} of=${{}} lines=${8} /></section>`;
  const models = Object.fromEntries(
    entities.value.filter((entity) => entity.plugin === plugin).map((entity) => [entity.entity, entity]),
  );
  return html`<${Page} key=${`${plugin}/${name}`} title=${page.value.label}>
    ${page.error && html`<${Problem} error=${page.error} />`}
    <${Body} plugin=${plugin} page=${page.value} models=${models} row=${row} /></${Page}>`;
}

function Body({ plugin, page, models, row }) {
  const t = useWords();
  switch (page.type) {
    case "crud":
      return html`<${Rows} key=${page.name} plugin=${plugin} entity=${page.entity} models=${models} page=${page} />`;
    case "tree":
      return html`<${Tree} plugin=${plugin} page=${page} models=${models} />`;
    case "detail":
      return html`<${Detail} plugin=${plugin} page=${page} models=${models} row=${row} />`;
    case "tabs":
      return html`<${TabPages} plugin=${plugin} page=${page} models=${models} />`;
    case "kanban":
      return html`<${Kanban} plugin=${plugin} page=${page} models=${models} />`;
    case "dashboard":
      return html`<${Dashboard} plugin=${plugin} page=${page} models=${models} />`;
    case "graph":
      return html`<${Graph} plugin=${plugin} page=${page} models=${models} />`;
    case "custom":
      return html`<${Custom} plugin=${plugin} page=${page} models=${models} />`;
    default:
      return html`<${Empty}>${t(`Pages of type ${page.type} are not shown here.`, `此处不显示 ${page.type} 类型的页面。`)}
        </${Empty}>`;
  }
}

/** All rows of an entity, up to about `most`; loaded again when one changes. */
function useAllRows(plugin, entity, most = 1000) {
  const ask = useAsk();
  const { user } = useSession();
  const rows = useLoaded(async () => {
    const all = [];
    let cursor;
    do {
      const page = await ask.app("GET", rowsPath(plugin, entity, query({ page_size: 200, cursor })));
      all.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor && all.length < most);
    return all;
  }, [plugin, entity, user.eyes]);
  const again = useThrottled(rows.reload, 150);
  useStream(["change"], (entry) => entry.data.entity === `${plugin}.${entity}` && again());
  return rows;
}

function TabPages({ plugin, page, models }) {
  const [current, setCurrent] = useState(page.pages[0]?.name);
  const chosen = page.pages.find((tab) => tab.name === current) ?? page.pages[0];
  if (!chosen) return null;
  return html`<${Tabs}
      label=${page.label}
      current=${chosen.name}
      onChange=${setCurrent}
      tabs=${page.pages.map((tab) => ({ value: tab.name, label: tab.label }))}
    />
    <div role="tabpanel" aria-label=${chosen.label}>
      <${Body} key=${chosen.name} plugin=${plugin} page=${chosen} models=${models} />
    </div>`;
}

function Tree({ plugin, page, models }) {
  const t = useWords();
  const ask = useAsk();
  const rows = useAllRows(plugin, page.entity);
  const model = models[page.entity];
  const [open, setOpen] = useState(null);
  const parent = page.tree.parent_field;
  const label = page.tree.label_field ?? model?.title_field;
  const may = (action) => page.actions.includes(action);
  const [closed, setClosed] = useState(new Set());
  const turn = (id) =>
    setClosed((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const node = (row, all, depth) => {
    const below = all.filter((one) => one.data[parent] === row.id);
    const isOpen = !closed.has(row.id);
    const name = row.data[label] ?? row.id;
    return html`<li key=${row.id}>
      <div class="tree-line">
        ${
          below.length > 0
            ? html`<button
                type="button"
                class="button ghost square"
                aria-expanded=${isOpen ? "true" : "false"}
                aria-label=${t(`Below ${name}`, `${name}的下级`)}
                onClick=${() => turn(row.id)}
              >
                <${Icon} name=${isOpen ? "down" : "right"} />
              </button>`
            : html`<i></i>`
        }<span>${name}</span><span class="grow"></span
        ><span class="row-actions">
          ${
            may("create") &&
            html`<${Button}
              kind="ghost"
              icon="plus"
              label=${t(`New below ${row.data[label]}`, `在${row.data[label]}下新建`)}
              onClick=${() => setOpen({ preset: { [parent]: row.id } })}
            />`
          }
          ${
            may("edit") &&
            html`<${Button}
              kind="ghost"
              icon="edit"
              label=${t(`Edit ${row.data[label]}`, `编辑${row.data[label]}`)}
              onClick=${() => setOpen({ row })}
            />`
          }
          ${
            may("delete") &&
            html`<${Button}
              kind="ghost"
              icon="trash"
              label=${t(`Delete ${row.data[label]}`, `删除${row.data[label]}`)}
              onClick=${() => setOpen({ gone: row })}
            />`
          }</span
        >
      </div>
      ${
        isOpen &&
        below.length > 0 &&
        html`<ul>
          ${below.map((one) => node(one, all, depth + 1))}
        </ul>`
      }
    </li>`;
  };
  return html`<div class="toolbar"><span class="grow"></span>
    ${
      may("create") &&
      html`<${Button} kind="primary" icon="plus" onClick=${() => setOpen({})}>${t("New", "新建")}
      </${Button}>`
    }</div>
    <${Loaded} of=${rows}>${(all) => {
      const ids = new Set(all.map((row) => row.id));
      const roots = all.filter((row) => !ids.has(row.data[parent]));
      return roots.length
        ? html`<ul class="tree">
            ${roots.map((row) => node(row, all, 0))}
          </ul>`
        : html`<${Empty}>${t("No rows yet.", "暂无数据。")}</${Empty}>`;
    }}</${Loaded}>
    ${
      open &&
      !open.gone &&
      html`<${RowForm}
        plugin=${plugin}
        entity=${page.entity}
        models=${models}
        fields=${page.form}
        row=${open.row}
        preset=${open.preset}
        onClose=${() => setOpen(null)}
        onSaved=${() => {
          setOpen(null);
          rows.reload();
        }}
      />`
    }
    ${
      open?.gone &&
      html`<${Confirm}
        title=${t("Delete this row?", "删除该记录？")}
        verb=${t("Delete", "删除")}
        text=${String(open.gone.data[label])}
        onNo=${() => setOpen(null)}
        onYes=${async () => {
          await ask.app("DELETE", rowsPath(plugin, page.entity, `/${open.gone.id}`));
          toast(t("Deleted", "已删除"));
          setOpen(null);
          rows.reload();
        }}
      />`
    }`;
}

function Detail({ plugin, page, models, row: id }) {
  const t = useWords();
  const ask = useAsk();
  const people = usePeople();
  const { user } = useSession();
  const model = models[page.entity];
  const [isOpen, setOpen] = useState(false);
  const row = useLoaded(
    async () => (id ? ask.app("GET", rowsPath(plugin, page.entity, `/${id}`)) : null),
    [plugin, page.entity, id, user.eyes],
  );
  const again = useThrottled(row.reload, 150);
  useStream(["change"], (entry) => entry.data.id === id && again());
  const labels = useLabels(plugin, model, row.value ? [row.value] : [], null);
  const self = { name: "row", ref: { plugin, entity: page.entity, label_field: model?.title_field } };
  if (!model) return html`<${Problem} error=${{ message: t("You may not see these rows.", "没有查看权限。") }} />`;
  if (!id) {
    return html`<div class="form narrow"><div class="field"><label for="choose">${model?.display_name}</label>
      <${RefPicker} id="choose" field=${self} value=${null}
        onChange=${(chosen) => chosen && go(`#/app/${plugin}/${page.name}/${chosen}`)} /></div></div>
      <${Empty}>${t("Choose a row.", "请选择一条记录。")}</${Empty}>`;
  }
  const field = (name) => model.fields.find((one) => one.name === name);
  return html`<${Loaded} of=${row}>${(value) =>
    value &&
    html` <div class="toolbar">
        <h2>${value.data[model.title_field] ?? value.id}</h2>
        <span class="grow"></span>
        ${
          page.actions.includes("edit") &&
          html`<${Button} icon="edit" onClick=${() => setOpen(true)}>
          ${t("Edit", "编辑")}</${Button}>`
        }
      </div>
      ${page.sections.map(
        (section) =>
          html`<section class="card" key=${section.label}>
            <h3>${section.label}</h3>
            ${
              section.type === "fields"
                ? html`<dl class="facts">
                    ${section.fields.filter(field).map(
                      (name) =>
                        html`<div key=${name}>
                          <dt>${field(name).display_name}</dt>
                          <dd>
                            <${Shown}
                              field=${field(name)}
                              value=${value.data[name]}
                              labels=${labels}
                              people=${people}
                            />
                          </dd>
                        </div>`,
                    )}
                  </dl>`
                : html`<${Rows}
                    plugin=${plugin}
                    entity=${section.entity}
                    models=${models}
                    fixed=${{ [section.filter_field]: value.id }}
                    small
                  />`
            }
          </section>`,
      )}
      ${
        isOpen &&
        html`<${RowForm}
          plugin=${plugin}
          entity=${page.entity}
          models=${models}
          fields=${page.form}
          row=${value}
          onClose=${() => setOpen(false)}
          onSaved=${() => {
            setOpen(false);
            row.reload();
          }}
        />`
      }`}</${Loaded}>`;
}

function Kanban({ plugin, page, models }) {
  const t = useWords();
  const ask = useAsk();
  const people = usePeople();
  const rows = useAllRows(plugin, page.entity);
  const model = models[page.entity];
  const lane = model?.fields.find((field) => field.name === page.kanban.lane_field);
  const labels = useLabels(plugin, model, rows.value ?? [], page.kanban.fields);
  const [over, setOver] = useState(null);
  const [open, setOpen] = useState(null);
  if (!lane) return null;
  const canMove = page.actions.includes("edit") && !lane.read_only;
  const title = (row) => row.data[page.kanban.title_field ?? model.title_field] ?? row.id;
  const move = async (row, value) => {
    if (row.data[lane.name] === value) return;
    try {
      await ask.app("PATCH", rowsPath(plugin, page.entity, `/${row.id}`), {
        data: { [lane.name]: value },
        version: row.version,
      });
    } catch (error) {
      toast(error.message, "bad");
    }
    rows.reload();
  };
  const card = (row) =>
    html`<article
      key=${row.id}
      class="kanban-card"
      draggable=${canMove}
      aria-label=${title(row)}
      onDragStart=${(event) => event.dataTransfer.setData("text/plain", row.id)}
    >
      <header>
        ${
          page.actions.includes("edit")
            ? html`<button type="button" class="button link" onClick=${() => setOpen({ row })}>${title(row)}</button>`
            : html`<b>${title(row)}</b>`
        }
      </header>
      <dl>
        ${page.kanban.fields
          .map((name) => model.fields.find((field) => field.name === name))
          .filter(Boolean)
          .map(
            (field) =>
              html`<div key=${field.name}>
                <dt>${field.display_name}</dt>
                <dd><${Shown} field=${field} value=${row.data[field.name]} labels=${labels} people=${people} /></dd>
              </div>`,
          )}
      </dl>
      ${
        canMove &&
        html`<select
          aria-label=${t(`Move ${title(row)}`, `移动${title(row)}`)}
          value=${row.data[lane.name]}
          onChange=${(event) => move(row, event.target.value)}
        >
          ${lane.options.map(
            (option) => html`<option key=${option.value} value=${option.value}>${option.label}</option>`,
          )}
        </select>`
      }
    </article>`;
  return html`<div class="toolbar"><span class="grow"></span>
    ${
      page.actions.includes("create") &&
      html`<${Button} kind="primary" icon="plus" onClick=${() => setOpen({})}>
      ${t("New", "新建")}</${Button}>`
    }</div>
    <${Loaded} of=${rows}>${(all) =>
      html`<div class="kanban" tabindex="0" role="region" aria-label=${page.label}>
        ${lane.options.map((option) => {
          const own = all.filter((row) => row.data[lane.name] === option.value);
          return html`<section key=${option.value} class=${`lane${over === option.value ? " over" : ""}`}
            aria-label=${option.label}
        onDragOver=${(event) => {
          event.preventDefault();
          setOver(option.value);
        }} onDragLeave=${() => setOver(null)}
        onDrop=${(event) => {
          event.preventDefault();
          setOver(null);
          const row = all.find((one) => one.id === event.dataTransfer.getData("text/plain"));
          if (row) move(row, option.value);
        }}>
        <h3><${Tag} color=${option.color}>${option.label}</${Tag}> <span class="nothing">${own.length}</span></h3>
          ${own.map(card)}</section>`;
        })}
      </div>`}</${Loaded}>
    ${
      open &&
      html`<${RowForm}
        plugin=${plugin}
        entity=${page.entity}
        models=${models}
        fields=${[...page.form, ...model.fields.filter((field) => field.computed).map((field) => field.name)]}
        row=${open.row}
        onClose=${() => setOpen(null)}
        onSaved=${() => {
          setOpen(null);
          rows.reload();
        }}
      />`
    }`;
}

// A page without actions and form.
const LOOKING = { actions: [], form: [] };

function Dashboard({ plugin, page, models }) {
  return html`<div class="dashboard">
    ${page.widgets.map(
      (widget, index) =>
        html`<section key=${index} class=${`card widget w-${widget.type}`}>
          <h3>${widget.label}</h3>
          <${Widget} plugin=${plugin} widget=${widget} models=${models} />
        </section>`,
    )}
  </div>`;
}

function Widget({ plugin, widget, models }) {
  const ask = useAsk();
  const { user } = useSession();
  const model = models[widget.entity];
  const metric = { func: widget.func, as: "value", ...(widget.field && { field: widget.field }) };
  const isTable = widget.type === "table";
  const found = useLoaded(async () => {
    const path = (rest) => rowsPath(plugin, widget.entity, rest);
    if (isTable) return null;
    if (widget.type === "line")
      return ask.app(
        "GET",
        path(`/timeseries${query({ field: widget.time_field, per: "month", func: widget.func, of: widget.field })}`),
      );
    return ask.app("POST", path("/aggregate"), {
      group_by: widget.group_by ? [widget.group_by] : [],
      metrics: [metric],
    });
  }, [plugin, JSON.stringify(widget), user.eyes]);
  const again = useThrottled(found.reload, 300);
  useStream(["change"], (entry) => entry.data.entity === `${plugin}.${widget.entity}` && again());
  if (!model) return null;
  if (isTable) return html`<${Rows} plugin=${plugin} entity=${widget.entity} models=${models} page=${LOOKING} small />`;
  return html`<${Loaded} of=${found} lines=${2}>${(groups) => {
    if (widget.type === "stat") return html`<p class="stat">${groups[0]?.value ?? 0}</p>`;
    const field = model.fields.find((one) => one.name === widget.group_by);
    const label = (value) => field?.options.find((option) => option.value === value)?.label ?? String(value ?? "—");
    const points = groups.map((group) => ({
      label: widget.type === "line" ? group.period : label(group[widget.group_by]),
      value: Number(group.value ?? 0),
    }));
    if (widget.type === "funnel") points.sort((left, right) => right.value - left.value);
    return html`<${Chart} type=${widget.type} points=${points} label=${widget.label} />`;
  }}</${Loaded}>`;
}

function Graph({ plugin, page, models }) {
  const t = useWords();
  const rows = useAllRows(plugin, page.entity, 200);
  const model = models[page.entity];
  const { source_field: source, target_field: target, label_field: label } = page.graph;
  const labels = useLabels(plugin, model, rows.value ?? [], [source, target]);
  return html`<${Loaded} of=${rows}>${(all) => {
    const edges = all.filter((row) => row.data[source] && row.data[target]);
    if (!edges.length)
      return html`<${Empty}>${t("No edges yet: a row with both ends makes one.", "暂无连线：两端都填写的记录构成一条连线。")}</${Empty}>`;
    const names = new Map();
    for (const row of edges) {
      names.set(row.data[source], labels[source]?.[row.data[source]] ?? "…");
      names.set(row.data[target], labels[target]?.[row.data[target]] ?? "…");
    }
    const ids = [...names.keys()];
    const place = (id) => {
      const angle = (ids.indexOf(id) / ids.length) * 2 * Math.PI - Math.PI / 2;
      return [300 + 210 * Math.cos(angle), 200 + 150 * Math.sin(angle)];
    };
    return html`<svg class="graph" viewBox="0 0 600 400" role="img" aria-label=${page.label}>
      ${edges.map((row) => {
        const [[x1, y1], [x2, y2]] = [place(row.data[source]), place(row.data[target])];
        return html`<g key=${row.id}
          ><line x1=${x1} y1=${y1} x2=${x2} y2=${y2} /><text class="edge" x=${(x1 + x2) / 2} y=${(y1 + y2) / 2 - 4}
            >${row.data[label] ?? ""}</text
          ></g
        >`;
      })}
      ${ids.map((id) => {
        const [x, y] = place(id);
        return html`<g key=${id}><circle cx=${x} cy=${y} r="7" /><text x=${x} y=${y + 22}>${names.get(id)}</text></g>`;
      })}
    </svg>`;
  }}</${Loaded}>`;
}

/** A custom page of the plugin, in a frame that can only draw and query rows. */
function Custom({ plugin, page }) {
  const ask = useAsk();
  const { user } = useSession();
  const frame = useRef(null);
  const opened = useLoaded(() => ask.dev("POST", "/_dev/frames", { plugin }), [plugin, page.file, user.eyes]);
  const asked = useRef(new Map());
  useStream(["change"], (entry) => {
    const again = [...asked.current].find(([entity]) => entry.data.entity === `${plugin}.${entity}`);
    if (again) dispatchEvent(new MessageEvent("message", { data: again[1], source: frame.current?.contentWindow }));
  });
  useEffect(() => {
    asked.current = new Map();
    const answer = async (event) => {
      if (event.source !== frame.current?.contentWindow || event.data?.type !== "query") return;
      const { entity, sort_by, sort_order, filter, search, page_size } = event.data;
      // The query is repeated when a row of the entity changes.
      asked.current.set(entity, event.data);
      let told;
      try {
        const asked = query({
          sort_by,
          sort_order,
          search,
          page_size: page_size ?? 100,
          filter: filter && JSON.stringify(filter),
        });
        told = {
          type: "rows",
          entity,
          ...(await ask.app("GET", rowsPath(plugin, String(entity).replace(/[^a-z0-9_]/g, ""), asked))),
        };
      } catch (error) {
        told = { type: "error", code: error.code, message: error.message };
      }
      // The frame has no origin of its own, so only its window can be named as the receiver.
      frame.current?.contentWindow.postMessage(told, "*");
    };
    addEventListener("message", answer);
    return () => removeEventListener("message", answer);
  }, [plugin, user.eyes]);
  return html`<${Loaded} of=${opened}>${({ base }) =>
    html`<iframe
      ref=${frame}
      class="custom"
      title=${page.label}
      sandbox="allow-scripts"
      src=${`${base}${page.file}`}
      key=${base}
    ></iframe>`}</${Loaded}>`;
}
