// @ts-check
// The form of a row. While the user types, the platform's own engine decides which fields are shown and required.
import { html, rowsPath, useAsk, useEffect, useRef, useState, useWords } from "../lib.js";
import { Button, Dialog, Field, Problem, toast } from "../ui.js";
import { Rows } from "./crud.js";
import { Input, Shown, usePeople } from "./values.js";

let forms = 0;

/** `row` is the row to edit, absent for a new one. `preset` holds the initial values of a new row. */
export function RowForm({ plugin, entity, models, fields, row: given, preset, children, onClose, onSaved }) {
  const t = useWords();
  const ask = useAsk();
  const people = usePeople();
  const model = models[entity];
  const shown = model.fields.filter((field) => fields.includes(field.name));
  // A form may be inside the dialog of another form.
  const name = useRef(null);
  name.current ??= `form-${++forms}`;
  const [row, setRow] = useState(given);
  const [values, setValues] = useState(() => ({ ...preset, ...given?.data }));
  const [touched, setTouched] = useState(() => new Set(Object.keys(preset ?? {})));
  const [broken, setBroken] = useState({});
  const [judged, setJudged] = useState({ hidden: [], required: [], problems: [], data: {} });
  const [state, setState] = useState({ busy: false, error: null, fields: {} });
  const asked = useRef(0);
  const latest = useRef(values);
  latest.current = values;

  const judge = async (data, isNew) => {
    const turn = ++asked.current;
    const open = Object.fromEntries(
      Object.entries(data).filter(([key]) => !model.fields.find((field) => field.name === key)?.computed),
    );
    try {
      const answer = await ask.app("POST", rowsPath(plugin, entity, "/preview"), { data: open, is_new: isNew });
      // Defaults fill fields without a value at any time; the rest counts only for the latest request.
      if (isNew) setValues((old) => ({ ...answer.data, ...old }));
      if (turn === asked.current) setJudged(answer);
    } catch {
      // Saving reports the error.
    }
  };
  useEffect(() => {
    judge(values, !row);
  }, []);
  const set = (key, value) => {
    const next = { ...latest.current, [key]: value };
    const gone = [key];
    // Fields that depend on the changed one are cleared.
    for (const field of model.fields) {
      if (field.ref?.cascade_from === key) {
        next[field.name] = null;
        gone.push(field.name);
      }
    }
    latest.current = next;
    setValues(next);
    setTouched((old) => new Set([...old, ...gone]));
    setState((old) => ({ ...old, fields: { ...old.fields, [key]: undefined } }));
    judge(next, false);
  };
  const save = async (event) => {
    event.preventDefault();
    if (Object.values(broken).some(Boolean)) return;
    setState({ busy: true, error: null, fields: {} });
    // Untouched fields are not sent: another user may have changed them, and a number may have more digits than
    // JavaScript keeps.
    const data = {};
    for (const field of model.fields) {
      const isOpen = !field.read_only && !judged.hidden.includes(field.name);
      if (isOpen && touched.has(field.name)) data[field.name] = values[field.name] ?? null;
    }
    try {
      const saved = row
        ? await ask.app("PATCH", rowsPath(plugin, entity, `/${row.id}`), { data, version: row.version })
        : await ask.app("POST", rowsPath(plugin, entity), { data });
      toast(row ? t("Saved", "已保存") : t("Created", "已新建"));
      onSaved(saved);
    } catch (error) {
      setState({ busy: false, error, fields: error.fields ?? {} });
    }
  };
  // Another user saved first: reads that version, and keeps what was typed here.
  const takeOver = async () => {
    const current = await ask.app("GET", rowsPath(plugin, entity, `/${row.id}`));
    setRow(current);
    setValues((old) => ({ ...current.data, ...Object.fromEntries([...touched].map((key) => [key, old[key]])) }));
    setState({ busy: false, error: null, fields: {} });
  };
  const problems = Object.fromEntries(
    judged.problems.filter((problem) => touched.has(problem.field)).map((problem) => [problem.field, problem.message]),
  );
  const visible = shown.filter((field) => !judged.hidden.includes(field.name));
  // Child rows need a parent row that is saved.
  const parts = row ? (children ?? []) : [];
  const own = visible.some((field) => state.fields[field.name]);
  const title = row
    ? t(`Edit ${model.display_name}`, `编辑${model.display_name}`)
    : t(`New ${model.display_name}`, `新建${model.display_name}`);
  return html`<${Dialog} title=${title} wide=${visible.length > 6 || parts.length > 0} onClose=${onClose} footer=${html`
      <${Button} onClick=${onClose}>${t("Cancel", "取消")}</${Button}>
      <button type="submit" form=${name.current} class="button primary" disabled=${state.busy}><span>${t("Save", "保存")}
        </span></button>`}>
    ${
      state.error?.code === "db.version_conflict"
        ? html`<div class="problem" role="alert"><div><strong>
          ${t("Somebody else changed this row meanwhile.", "该记录已被他人修改。")}</strong>
          <${Button} kind="link" onClick=${takeOver}>${t("Keep what I typed, over the new version", "在新版本上保留我的修改")}
            </${Button}></div></div>`
        : !own && html`<${Problem} error=${state.error} />`
    }
    <form id=${name.current} class="form" noValidate onSubmit=${save}>
      ${visible.map((field) => {
        const id = `${name.current}-${field.name}`;
        const error = broken[field.name] ?? state.fields[field.name] ?? problems[field.name];
        const help = [field.description && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
        return html`<${Field} key=${field.name} id=${id} label=${field.display_name} help=${field.description}
          error=${error}
          required=${judged.required.includes(field.name) && !field.computed}>
          ${
            field.read_only
              ? html`<output id=${id} class="fixed"
                  ><${Shown}
                    field=${field}
                    value=${field.computed ? judged.data[field.name] : values[field.name]}
                    people=${people}
                /></output>`
              : html`<${Input}
                  id=${id}
                  field=${field}
                  value=${values[field.name]}
                  row=${values}
                  invalid=${Boolean(error)}
                  describedBy=${help}
                  onChange=${(value) => set(field.name, value)}
                  onBroken=${(why) => setBroken((old) => ({ ...old, [field.name]: why }))}
                />`
          }</${Field}>`;
      })}
    </form>
    ${parts.map(
      (child) =>
        html`<div class="child" key=${child.entity}>
          <h3>${models[child.entity]?.display_name}</h3>
          <${Rows} plugin=${plugin} entity=${child.entity} models=${models} fixed=${{ [child.key]: row.id }} small />
        </div>`,
    )}
  </${Dialog}>`;
}
