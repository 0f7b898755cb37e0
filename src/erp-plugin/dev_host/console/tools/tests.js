// @ts-check
// The project's scenarios, run by the same program as on the command line.
import { html, useAsk, useSession, useState, useStream, useWords } from "../lib.js";
import { Button, Code, Empty, Page, Problem, Tag, useDoing } from "../ui.js";

export function Tests() {
  const t = useWords();
  const ask = useAsk();
  const { projects } = useSession();
  const [results, setResults] = useState({});
  const [isStale, setStale] = useState(false);
  const [busy, run] = useDoing();
  useStream(["test", "reload"], (entry) => entry.data.state === "stale" && setStale(true));
  const test = (plugin) =>
    run(plugin, async () => {
      const result = await ask.dev("POST", `/_dev/projects/${plugin}/test`);
      setResults((old) => ({ ...old, [plugin]: result }));
      setStale(false);
    });
  if (!projects.length)
    return html`<${Page} title=${t("Tests", "测试")}><${Empty}>${t("No project is followed.", "没有跟踪的项目。")}</${Empty}>
      </${Page}>`;
  return html`<${Page} title=${t("Tests", "测试")}>${projects.map((project) => {
    const result = results[project.plugin];
    return html`<section class="card" key=${project.project}><div class="toolbar"><h3>${project.project}</h3>
      ${
        result?.passed !== undefined &&
        html`<${Tag} color=${result.ok ? "green" : "red"}>
        ${t(`${result.passed} passed, ${result.failed} failed`, `通过 ${result.passed}，失败 ${result.failed}`)}</${Tag}>`
      }
      ${isStale && result && html`<${Tag} color="orange">${t("scenarios changed", "测试已修改")}</${Tag}>`}
        <span class="grow"></span>
      <${Button} kind="primary" icon="play" busy=${busy === project.plugin} onClick=${() => test(project.plugin)}>
        ${t("Run", "运行")}</${Button}></div>
      ${result?.error && html`<${Problem} error=${result.error} />`}
      ${(result?.cases ?? []).map(
        (one, index) => html`<details key=${index} class="case" open=${one.ok === false}><summary>
          <${Tag} color=${one.ok ? "green" : "red"}>${one.ok ? t("ok", "通过") : t("failed", "失败")}</${Tag}> ${one.name}
            </summary>
        <p class="meta">${one.file} · ${one.milliseconds.toFixed(1)} ms · ${one.fuel} fuel</p>
        ${(one.findings ?? []).map(
          (finding, place) =>
            html`<div key=${place}>
              <p class="error-text">
                ${finding.file}:${finding.line}: ${finding.message}${finding.label ? ` — ${finding.label}` : ""}
              </p>
              ${finding.help && html`<${Code} value=${finding.help} />`}
            </div>`,
        )}</details>`,
      )}</section>`;
  })}</${Page}>`;
}
