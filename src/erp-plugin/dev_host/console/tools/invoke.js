// @ts-check
// Any export of a plugin, called once: arguments in WAVE or as JSON.
import { html, useAsk, useEffect, useLoaded, useSession, useState, useWords } from "../lib.js";
import { Button, Code, Empty, Field, Loaded, Page, Problem, Select, Tabs, useDoing } from "../ui.js";

export function Invoke() {
  const t = useWords();
  const { send } = useAsk();
  const ask = useAsk();
  const { plugins, user } = useSession();
  const running = plugins.filter((plugin) => plugin.status === "running");
  const [plugin, setPlugin] = useState(running[0]?.id);
  const [form, setForm] = useState("json");
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const [result, setResult] = useState(null);
  const [error, setError] = useState(null);
  const [busy, run] = useDoing();
  const chosen = plugin ?? running[0]?.id;
  const found = useLoaded(async () => (chosen ? ask.dev("GET", `/_dev/exports/${chosen}`) : []), [chosen]);
  const functions = found.value ?? [];
  const current = functions.find((one) => one.function === name) ?? functions[0];
  useEffect(() => {
    if (!current) return;
    // The host fills in the context of the call.
    const own = current.parameters.filter(([parameter]) => parameter !== "ctx");
    setText(
      form === "json"
        ? JSON.stringify(Object.fromEntries(own.map(([parameter]) => [parameter, null])), null, 2)
        : `${current.function}(${current.parameters.map(([parameter]) => parameter).join(", ")})`,
    );
  }, [current?.function, form]);
  const call = () =>
    run("call", async () => {
      setError(null);
      setResult(null);
      try {
        const body =
          form === "json"
            ? { plugin: chosen, function: current.function, arguments: JSON.parse(text || "{}") }
            : { plugin: chosen, call: text };
        setResult(await send(user.token, "POST", "/_dev/invoke", { body }));
      } catch (failed) {
        setError(failed);
      }
    });
  if (!running.length)
    return html`<${Page} title=${t("Invoke", "调用接口")}><${Empty}>${t("No plugin runs.", "没有运行中的插件。")}</${Empty}>
      </${Page}>`;
  return html`<${Page} title=${t("Invoke", "调用接口")}><section class="card"><div class="form">
    <${Field} id="invoke-plugin" label=${t("Plugin", "插件")}>
      <${Select} id="invoke-plugin" value=${chosen}
        options=${running.map((one) => ({ value: one.id, label: one.name }))} onChange=${setPlugin} /></${Field}>
    <${Field} id="invoke-function" label=${t("Export", "导出函数")}
      help=${current?.parameters.map(([parameter, type]) => `${parameter}: ${type}`).join(", ")}>
      <${Select} id="invoke-function" value=${current?.function}
        options=${functions.map((one) => ({ value: one.function, label: one.function }))} onChange=${setName} />
          </${Field}></div>
    <${Tabs} label=${t("Arguments", "参数")} current=${form} onChange=${setForm} tabs=${[
      { value: "json", label: "JSON" },
      { value: "wave", label: "WAVE" },
    ]} />
    <textarea class="mono" rows="6" aria-label=${t("Arguments", "参数")} value=${text}
      onInput=${(event) => setText(event.target.value)}></textarea>
    <p class="meta">${t(`Called as ${user.user}.`, `以 ${user.user} 的身份调用。`)}</p>
    <${Button} kind="primary" icon="play" busy=${busy === "call"} disabled=${!current} onClick=${call}>
      ${t("Call", "调用")}</${Button}></section>
    <${Problem} error=${error ?? found.error} />
    ${error && html`<p><a href="#/calls">${t("The call is in the timeline.", "可在调用时间线中查看。")}</a></p>`}
    ${
      result &&
      html`<section class="card" role="status">
        <h3>${t("Result", "结果")}</h3>
        <${Code} value=${result.result} />
      </section>`
    }</${Page}>`;
}
