// @ts-check
// Events: the published ones, the plugins that received them, and a form to publish one.
import {
  clock,
  html,
  useAsk,
  useEffect,
  useLoaded,
  useSession,
  useState,
  useStream,
  useThrottled,
  useWords,
} from "../lib.js";
import { Button, Code, Empty, Field, Loaded, Page, Problem, Tag, useDoing } from "../ui.js";

export function Events() {
  const t = useWords();
  const ask = useAsk();
  const { user } = useSession();
  const events = useLoaded(() => ask.dev("GET", "/_dev/events"), []);
  const again = useThrottled(events.reload, 200);
  useStream(["event", "request", "call"], again);
  const known = useLoaded(() => ask.dev("GET", "/_dev/base-events"), []);
  const [type, setType] = useState("");
  const [payload, setPayload] = useState("{}");
  // Also fills in the payload if the type was typed before the suggestions were loaded.
  useEffect(() => {
    const found = known.value?.find((one) => one.type === type);
    if (found) setPayload(JSON.stringify(found.payload, null, 2));
  }, [type, known.value]);
  const [problem, setProblem] = useState(null);
  const [unheard, setUnheard] = useState(null);
  const [busy, run] = useDoing();
  const tell = (isMeant = false) => {
    let parsed;
    try {
      parsed = JSON.parse(payload);
      setProblem(null);
    } catch (error) {
      return setProblem(error.message);
    }
    return run(
      "tell",
      async () => {
        setUnheard(null);
        const body = { type, payload: parsed, tenant: user.tenant, ...(isMeant ? { heard: 0 } : {}) };
        try {
          return await ask.dev("POST", "/_dev/events", body);
        } catch (error) {
          if (error.code !== "event.unheard") throw error;
          setUnheard(error);
          return null;
        }
      },
      (told) => told && t(`${told.delivered.length} calls came of it`, `引发 ${told.delivered.length} 次调用`),
    );
  };
  return html`<${Page} title=${t("Events", "事件")}>
    <section class="card"><h3>${t(`Publish an event in ${user.tenant}`, `在 ${user.tenant} 发布事件`)}</h3><div class="form">
      <${Field} id="event-type" label=${t("Name", "名称")}
        help=${t("Those of the platform's own modules are suggested.", "可选择平台基础模块的事件。")}>
        <input id="event-type" list="known-events" value=${type} onInput=${(event) => {
          setType(event.target.value);
          setUnheard(null);
        }} />
          <datalist id="known-events">${known.value?.map((one) => html`<option key=${one.type} value=${one.type} />`)}
            </datalist></${Field}>
      <${Field} id="event-payload" label=${t("Payload", "内容")} error=${problem}>
        <textarea id="event-payload" class="mono" rows="4" value=${payload}
          onInput=${(event) => setPayload(event.target.value)}></textarea></${Field}></div>
      <${Button} kind="primary" icon="events" busy=${busy === "tell"} disabled=${!type} onClick=${() => tell()}>
        ${t("Publish", "发布")}</${Button}>
      ${
        unheard &&
        html`<${Problem} error=${unheard} /><${Button} busy=${busy === "tell"} onClick=${() => tell(true)}>
          ${t("Publish it all the same", "仍要发布")}</${Button}>`
      }</section>
    <${Loaded} of=${events}>${(items) =>
      items.length === 0
        ? html`<${Empty}>${t("No events yet.", "暂无事件。")}</${Empty}>`
        : html`<ul class="event-list">
            ${items.map(
              (event) =>
                html`<li key=${event.id} class="card">
                  <header>
                    <b>${event.type}</b>
                    <span class="meta">${clock(event.occurred_at_ms)} · ${event.tenant} · ${event.source}</span
                    ><span class="grow"></span>
                    ${event.deliveries.map(
                      (delivery) => html`<${Tag} key=${delivery.plugin}
                      color=${delivery.state === "done" ? "green" : "red"}>${delivery.plugin} ${delivery.state}
                        ${delivery.attempts > 1 ? ` ×${delivery.attempts}` : ""}</${Tag}>`,
                    )}
                    ${
                      event.deliveries.some((delivery) => delivery.state === "failed") &&
                      html`<${Button} kind="link"
                      onClick=${() =>
                        run(
                          "again",
                          () => ask.dev("POST", `/_dev/events/${event.id}/redeliver`),
                          t("Delivered again", "已重新投递"),
                        )}>${t("Deliver again", "重新投递")}</${Button}>`
                    }
                  </header>
                  ${event.deliveries
                    .filter((delivery) => delivery.error)
                    .map((delivery) => html`<p class="error-text" key=${delivery.plugin}>${delivery.error}</p>`)}
                  <details>
                    <summary>${t("Payload", "内容")}</summary>
                    <${Code} value=${event.payload} />
                  </details>
                </li>`,
            )}
          </ul>`}</${Loaded}></${Page}>`;
}
