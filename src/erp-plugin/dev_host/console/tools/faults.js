// @ts-check
// The faults that are injected, and the clock of the host.
import { html, moment, useAsk, useLoaded, useState, useStream, useThrottled, useWords } from "../lib.js";
import { Button, Field, Loaded, Page, Select, Tag, useDoing } from "../ui.js";

export function Faults() {
  const t = useWords();
  const ask = useAsk();
  const faults = useLoaded(() => ask.dev("GET", "/_dev/faults"), []);
  const clock = useLoaded(() => ask.dev("GET", "/_dev/clock"), []);
  const again = useThrottled(() => {
    faults.reload();
    clock.reload();
  }, 300);
  useStream(["call", "request"], again);
  const quirks = useLoaded(() => ask.dev("GET", "/_dev/quirks"), []);
  const [fault, setFault] = useState({ at: "db.insert", kind: "error", value: "", subject: "", always: false });
  const [moved, setMoved] = useState("");
  const [fuel, setFuel] = useState("");
  const [busy, run] = useDoing();
  const set = (key, value) => setFault({ ...fault, [key]: value });
  const add = () =>
    run(
      "add",
      async () => {
        const body = { at: fault.at, subject: fault.subject || undefined, always: fault.always };
        if (fault.kind === "fuel") body.fuel = 0;
        else
          body[fault.kind] =
            fault.value || (fault.kind === "delay" ? "500ms" : t("made to fail in the console", "控制台注入的故障"));
        await ask.dev("POST", "/_dev/faults", body);
        faults.reload();
      },
      t("It will happen", "已注入"),
    );
  const move = (body) =>
    run("clock", async () => {
      await ask.dev("POST", "/_dev/clock", body);
      clock.reload();
    });
  const put = (body) =>
    run("quirks", async () => {
      await ask.dev("PUT", "/_dev/quirks", body);
      quirks.reload();
    });
  return html`<${Page} title=${t("Faults & clock", "故障与时钟")}>
    <section class="card"><h3>${t("Make a call of the host fail", "注入故障")}</h3><p class="meta">
      ${t(
        "Faults meet what plugins ask of the host; requests that only touch rows call no plugin.",
        "故障作用于插件对宿主的调用；仅读写数据的请求不经过插件。",
      )}</p><div class="form">
      <${Field} id="fault-at" label=${t("At", "位置")}>
        <${Select} id="fault-at" value=${fault.at}
          options=${(faults.value?.places ?? [fault.at]).map((place) => ({
            value: place,
            label: place === "*" ? t("any call of the host", "任意宿主调用") : place,
          }))} onChange=${(value) => set("at", value)} /></${Field}>
      <${Field} id="fault-subject" label=${t("About", "对象")}
        help=${t("An entity or a key; empty for any.", "实体名或键；留空表示任意。")}>
          <input id="fault-subject" value=${fault.subject} onInput=${(event) => set("subject", event.target.value)} />
            </${Field}>
      <${Field} id="fault-kind" label=${t("What happens", "现象")}>
        <${Select} id="fault-kind" value=${fault.kind} options=${[
          { value: "error", label: t("it fails", "失败") },
          { value: "delay", label: t("it takes long", "变慢") },
          { value: "fuel", label: t("the fuel ends", "燃料耗尽") },
        ]} onChange=${(value) => set("kind", value)} /></${Field}>
      ${
        fault.kind !== "fuel" &&
        html`<${Field} id="fault-value"
        label=${fault.kind === "delay" ? t("How long", "时长") : t("Message", "消息")}>
          <input id="fault-value" value=${fault.value} placeholder=${fault.kind === "delay" ? "500ms" : ""}
            onInput=${(event) => set("value", event.target.value)} /></${Field}>`
      }</div>
      <label class="check">
        <input type="checkbox" checked=${fault.always} onChange=${(event) => set("always", event.target.checked)}
          /> ${t("every time, until it is taken away", "每次都发生，直到清除")}</label>
      <${Button} kind="primary" icon="faults" busy=${busy === "add"} onClick=${add}>${t("Inject", "注入")}</${Button}>
      <${Loaded} of=${faults} lines=${1}>${({ faults: items }) =>
        items.length > 0 &&
        html`<ul class="fault-list">
          ${items.map(
            (one, index) => html`<li key=${index}><${Tag} color="red">${one.at}
            </${Tag}> ${one.subject ?? ""} ${
              one.error ?? one.delay ?? t("fuel ends", "燃料耗尽")
            } ${one.always ? t("always", "每次") : t(`on call ${one.nth}`, `第 ${one.nth} 次`)}</li>`,
          )}</ul>
        <${Button} icon="trash" onClick=${() =>
          run("clear", async () => {
            await ask.dev("DELETE", "/_dev/faults");
            faults.reload();
          })}>${t("Clear all", "全部清除")}</${Button}>`}</${Loaded}></section>
    <section class="card"><h3>${t("Clock", "时钟")}</h3><${Loaded} of=${clock} lines=${1}>
      ${(value) =>
        html`<p class="stat">
          ${moment(value.now)}${" "}
          ${
            value.ahead_ms !== 0 &&
            html`<${Tag} color="orange">${value.ahead_ms > 0 ? "+" : ""}
            ${Math.round(value.ahead_ms / 60000)} min</${Tag}>`
          }
        </p>`}</${Loaded}>
      <div class="toolbar">
        ${["1h", "1d", "30d"].map(
          (by) => html`<${Button} key=${by} onClick=${() => move({ advance: by })}>+ ${by}
          </${Button}>`,
        )}
        <input aria-label=${t("Advance by", "前进")} placeholder="30m" value=${moved}
          onInput=${(event) => setMoved(event.target.value)} />
            <${Button} disabled=${!moved} onClick=${() => move({ advance: moved })}>${t("Advance", "前进")}</${Button}
        ><${Button} onClick=${() => move({ reset: true })}>${t("Back to now", "恢复当前时间")}</${Button}></div></section>
    <section class="card"><h3>${t("Fuel of a call", "每次调用的燃料")}</h3><p class="meta">
      ${t("Empty for what the manifest says.", "留空则使用清单中的值。")}</p><div class="toolbar">
        <input aria-label=${t("Fuel", "燃料")} inputmode="numeric" placeholder="60000" value=${fuel}
          onInput=${(event) => setFuel(event.target.value)} />
      <${Button}
        onClick=${() => run("fuel", () => ask.dev("PUT", "/_dev/limits", fuel ? { fuel } : {}), t("Set", "已设置"))}>
          ${t("Set", "设置")}</${Button}></div></section>
    <section class="card"><h3>${t("Like the platform of today", "与现有平台一致")}</h3><${Loaded} of=${quirks} lines=${2}>${(
      value,
    ) =>
      html` <label class="check"
          ><input
            type="checkbox"
            role="switch"
            class="switch"
            checked=${value.imitate}
            onChange=${(event) => put({ imitate: event.target.checked })}
          />
          ${t(
            "imitate its known defects: failed writes stay, stale changes pass, bad JSON is empty",
            "模拟已知缺陷：失败的写入保留、过期修改静默通过、错误的 JSON 视为空",
          )}</label
        >
        <label class="check"
          ><input
            type="checkbox"
            role="switch"
            class="switch"
            checked=${value.double_events}
            onChange=${(event) => put({ double_events: event.target.checked })}
          />
          ${t("deliver every event twice", "每个事件投递两次")}</label
        >`}</${Loaded}></section></${Page}>`;
}
