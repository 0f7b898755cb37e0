// @ts-check
// The tenants of the host: created and removed while the plugins run.
import { html, useAsk, useSession, useState, useWords } from "../lib.js";
import { Button, Confirm, Field, Page, Table, useDoing } from "../ui.js";

export function Tenants() {
  const t = useWords();
  const ask = useAsk();
  const { tenants, users, user, admin, reloadDirectory, setUser } = useSession();
  const [name, setName] = useState("");
  const [leaving, setLeaving] = useState(null);
  const [busy, run] = useDoing();
  const create = (event) => {
    event.preventDefault();
    return run(
      "create",
      async () => {
        await ask.dev("POST", "/_dev/tenants", { tenant: name.trim() });
        setName("");
        await reloadDirectory();
      },
      t("Created; the plugins' hooks for tenants ran", "已创建，插件的租户钩子已执行"),
    );
  };
  const remove = async () => {
    await ask.dev("DELETE", `/_dev/tenants/${encodeURIComponent(leaving)}`);
    // The view of a user of the removed tenant would be empty.
    if (user.tenant === leaving) setUser(admin.user);
    setLeaving(null);
    await reloadDirectory();
  };
  const columns = [
    { key: "tenant", label: t("Tenant", "租户"), cell: (tenant) => html`<code>${tenant}</code>` },
    {
      key: "users",
      label: t("Users", "用户"),
      cell: (tenant) =>
        users
          .filter((one) => one.tenant === tenant)
          .map((one) => one.user)
          .join(", "),
    },
    {
      key: "-",
      label: "",
      align: "actions",
      cell: (tenant) =>
        tenant === admin.tenant
          ? html`<span class="meta">${t("the console's own", "控制台所属租户")}</span>`
          : html`<${Button} kind="link" onClick=${() => setLeaving(tenant)}>${t("Remove", "移除")}</${Button}>`,
    },
  ];
  return html`<${Page} title=${t("Tenants", "租户")}>
    <section class="card"><h3>${t("New tenant", "新建租户")}</h3><form class="form" onSubmit=${create}>
      <${Field} id="tenant-name" label=${t("Name", "名称")}
        help=${t(
          "A user admin@<name> comes with it, and the hooks of the plugins that run are called.",
          "将同时创建用户 admin@<名称>，并调用运行中插件的租户钩子。",
        )}>
        <input id="tenant-name" value=${name} onInput=${(event) => setName(event.target.value)} /></${Field}></form>
      <${Button} kind="primary" icon="plus" busy=${busy === "create"} disabled=${!name.trim()} onClick=${create}>
        ${t("Create", "创建")}</${Button}></section>
    <${Table} label=${t("Tenants", "租户")} columns=${columns} rows=${tenants} keyOf=${(tenant) => tenant} />
    ${
      leaving &&
      html`<${Confirm}
        title=${t(`Remove ${leaving}?`, `移除 ${leaving}？`)}
        verb=${t("Remove", "移除")}
        text=${t(
          "Its users go and their tokens end. Its rows stay: a tenant of the same name sees them again.",
          "该租户的用户和令牌将被删除；数据会保留，重新创建同名租户后可再次看到。",
        )}
        onNo=${() => setLeaving(null)}
        onYes=${remove}
      />`
    }</${Page}>`;
}
