// The form of a row: what is shown and required is judged by the platform's own engine while one types.
import { html, rowsPath, useAsk, useEffect, useRef, useState, useWords } from "../lib.js";
import { Button, Dialog, Field, Problem, toast } from "../ui.js";
import { Rows } from "./crud.js";
import { Input, Shown, usePeople } from "./values.js";

/** `row` is the one that is edited, none for a new one; `preset` are values that a new one begins with. */
export function RowForm({ plugin, entity, models, fields, row, preset, children, onClose, onSaved }) {
  const t = useWords();
  const ask = useAsk();
  const people = usePeople();
  const model = models[entity];
  const shownFields = model.fields.filter((field) => fields.includes(field.name));
  const [values, setValues] = useState(() => ({ ...preset, ...row?.data }));
  const [touched, setTouched] = useState(new Set());
  const [judged, setJudged] = useState({ hidden: [], required: [], problems: [], data: {} });
  const [state, setState] = useState({ busy: false, error: null, fields: {} });
  const asked = useRef(0);

  const judge = async (data, isNew) => {
    const turn = ++asked.current;
    try {
      const open = Object.fromEntries(Object.entries(data).filter(([name]) => !model.fields.find((field) => field.name === name)?.computed));
      const answer = await ask.app("POST", rowsPath(plugin, entity, "/preview"), { data: open, is_new: isNew });
      if (turn !== asked.current) return;
      setJudged(answer);
      if (isNew) setValues((old) => ({ ...answer.data, ...old }));
    } catch {
      // Saving says what is wrong.
    }
  };
  useEffect(() => {
    judge(values, !row);
  }, []);
  const set = (name, value) => {
    const next = { ...values, [name]: value };
    // What hung on the old value does not hang on the new one.
    for (const field of model.fields) if (field.ref?.cascade_from === name) next[field.name] = null;
    setValues(next);
    setTouched((old) => new Set(old).add(name));
    setState((old) => ({ ...old, fields: { ...old.fields, [name]: undefined } }));
    judge(next, false);
  };
  const save = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null, fields: {} });
    const data = {};
    for (const field of model.fields) {
      const isOpen = !field.read_only && field.name in values && !judged.hidden.includes(field.name);
      const has = values[field.name] !== undefined && (row ? true : values[field.name] !== null);
      if (isOpen && has) data[field.name] = values[field.name];
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
  const problems = Object.fromEntries(
    judged.problems.filter((problem) => touched.has(problem.field)).map((problem) => [problem.field, problem.message]),
  );
  const visible = shownFields.filter((field) => !judged.hidden.includes(field.name));
  // Rows that belong to this one need one that is there.
  const parts = row ? (children ?? []) : [];
  const title = row ? t(`Edit ${model.display_name}`, `编辑${model.display_name}`) : t(`New ${model.display_name}`, `新建${model.display_name}`);
  return html`<${Dialog} title=${title} wide=${visible.length > 6 || parts.length > 0} onClose=${onClose} footer=${html`
      <${Button} onClick=${onClose}>${t("Cancel", "取消")}</${Button}>
      <button type="submit" form="row-form" class="button primary" disabled=${state.busy}><span>${t("Save", "保存")}</span></button>`}>
    <${Problem} error=${state.error} />
    <form id="row-form" class="form" noValidate onSubmit=${save}>
      ${visible.map((field) => {
        const id = `field-${field.name}`;
        const error = state.fields[field.name] ?? problems[field.name];
        const help = [field.description && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
        return html`<${Field} key=${field.name} id=${id} label=${field.display_name} help=${field.description} error=${error}
          required=${judged.required.includes(field.name) && !field.computed}>
          ${field.read_only
            ? html`<output id=${id} class="fixed"><${Shown} field=${field} value=${field.computed ? judged.data[field.name] : values[field.name]} people=${people} /></output>`
            : html`<${Input} id=${id} field=${field} value=${values[field.name]} row=${values} invalid=${Boolean(error)}
                describedBy=${help} onChange=${(value) => set(field.name, value)} />`}</${Field}>`;
      })}
    </form>
    ${parts.map((child) => html`<div class="child" key=${child.entity}><h3>${models[child.entity]?.display_name}</h3>
      <${Rows} plugin=${plugin} entity=${child.entity} models=${models} fixed=${{ [child.key]: row.id }} small /></div>`)}
  </${Dialog}>`;
}
