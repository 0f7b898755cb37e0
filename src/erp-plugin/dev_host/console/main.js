// @ts-check
// The frame around every page: the user, the state of the projects, and the menu.
import {
  ask,
  Fragment,
  go,
  html,
  render,
  Session,
  Stream,
  useCallback,
  useEffect,
  useLoaded,
  useMemo,
  useRef,
  useState,
  useStream,
  useThrottled,
  useWords,
} from "./lib.js";
import { Button, Code, Icon, Page, Problem, Select, toast, Toasts, useDoing } from "./ui.js";
import { AppPage } from "./app/pages.js";
import { Calls } from "./tools/calls.js";
import { Data } from "./tools/data.js";
import { Events } from "./tools/events.js";
import { Faults } from "./tools/faults.js";
import { Invoke } from "./tools/invoke.js";
import { Plugins } from "./tools/plugins.js";
import { Tenants } from "./tools/tenants.js";
import { Tests } from "./tools/tests.js";

const kept = {
  get: (key) => {
    try {
      return localStorage.getItem(`erp-plugin.${key}`);
    } catch {
      return null;
    }
  },
  set: (key, value) => {
    try {
      localStorage.setItem(`erp-plugin.${key}`, value);
    } catch {
      /* Without storage, the value is lost with the page. */
    }
  },
};

/** Takes the token from the part behind the `#` of the address, and removes it there; else the stored token. */
function takeToken() {
  const found = location.hash.match(/^#token=([^&]+)/);
  if (found) {
    kept.set("token", found[1]);
    history.replaceState(null, "", location.pathname);
  }
  return kept.get("token");
}

const icons = {
  dashboard: "dashboard",
  team: "team",
  apartment: "tree",
  profile: "board",
  bell: "warn",
  inbox: "data",
  "shopping-cart": "page",
  "file-text": "page",
  swap: "refresh",
  "share-alt": "events",
  "unordered-list": "menu",
};

function useTheme() {
  const [theme, setTheme] = useState(kept.get("theme") ?? "system");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    kept.set("theme", theme);
  }, [theme]);
  const isDark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  return [isDark, () => setTheme(isDark ? "light" : "dark")];
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function useRoute() {
  const [route, setRoute] = useState(location.hash);
  useEffect(() => {
    const changed = () => setRoute(location.hash);
    addEventListener("hashchange", changed);
    // The address may have changed after it was first read and before the listener was added.
    changed();
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
}

function SignIn({ onToken, problem }) {
  const [text, setText] = useState("");
  return html`<main class="sign-in">
    <form
      onSubmit=${(event) => {
        event.preventDefault();
        onToken(text.trim());
      }}
    >
      <h1>erp-plugin</h1>
      <p lang="en">Open the address that <code>erp-plugin dev</code> printed, or paste an administrator's token.</p>
      <p lang="zh-CN">请打开 <code>erp-plugin dev</code> 打印的地址，或粘贴管理员令牌。</p>
      <${Problem} error=${problem} /><label for="token">Token</label
      ><input id="token" autocomplete="off" value=${text} onInput=${(event) => setText(event.target.value)} />
      <button type="submit" class="button primary"><span>OK</span></button>
    </form>
  </main>`;
}

/** The present users and tenants of the host. */
const directory = async (token) => {
  const [users, tenants] = await Promise.all([ask(token, "GET", "/_dev/users"), ask(token, "GET", "/_dev/tenants")]);
  return { users, tenants };
};

function Root() {
  const [token, setToken] = useState(takeToken);
  const [start, setStart] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    if (!token) return;
    directory(token).then(
      (known) => {
        kept.set("token", token);
        setStart({ ...known, stream: new Stream(token) });
      },
      (error) => {
        setProblem(error);
        setToken(null);
      },
    );
  }, [token]);
  if (!token) return html`<${SignIn} onToken=${setToken} problem=${problem} />`;
  if (!start) return null;
  return html`<${Console} ...${start} />`;
}

function Console({ users, tenants: first, stream }) {
  const [language, setLanguage] = useState(
    kept.get("language") ?? (navigator.language.startsWith("zh") ? "zh-CN" : "en"),
  );
  const [all, setAll] = useState(users);
  const [tenants, setTenants] = useState(first);
  const [name, setName] = useState(kept.get("user") ?? users[0].user);
  // Raised when a new generation serves, so that what is shown is loaded again at once.
  const [generation, setGeneration] = useState(0);
  const user = useMemo(() => {
    const found = all.find((one) => one.user === name) ?? all[0];
    // `eyes` changes with the user's permissions and with the serving generation: pages load again then.
    return { ...found, eyes: JSON.stringify([found, generation]) };
  }, [all, name, generation]);
  const admin = users[0];
  const ask_ = useCallback((method, path) => ask(admin.token, method, path), [admin.token]);
  const reloadDirectory = useCallback(async () => {
    const known = await directory(admin.token);
    setAll(known.users);
    setTenants(known.tenants);
  }, [admin.token]);
  const projects = useLoaded(() => ask_("GET", "/_dev/projects"), []);
  const plugins = useLoaded(() => ask_("GET", "/api/v1/admin/plugins"), []);
  useEffect(() => {
    document.documentElement.lang = language;
    kept.set("language", language);
    kept.set("user", user.user);
  }, [language, user.user]);
  const session = useMemo(
    () => ({
      admin,
      user,
      users: all,
      setUser: setName,
      setUsers: setAll,
      tenants,
      reloadDirectory,
      stream,
      language,
      setLanguage,
      setGeneration,
      projects: projects.value ?? [],
      plugins: plugins.value ?? [],
      reloadPlugins: plugins.reload,
      reloadProjects: projects.reload,
    }),
    [user, all, tenants, language, projects.value, plugins.value],
  );
  if (!plugins.value || !projects.value) return null;
  return html`<${Session.Provider} value=${session}><${Shell} session=${session} /></${Session.Provider}>`;
}

function Shell({ session }) {
  const t = useWords();
  const route = useRoute();
  const [isDark, turnTheme] = useTheme();
  const [isOpen, setOpen] = useState(false);
  const [isLost, setLost] = useState(false);
  const { projects, plugins, user, language } = session;
  const soon = useThrottled(() => {
    session.reloadPlugins();
    session.reloadProjects();
  }, 50);
  const { setGeneration } = session;
  useStream(["reload", "request", "connected", "lost"], (entry) => {
    if (entry.kind === "lost") return setLost(true);
    if (entry.kind === "connected") setLost(false);
    if (entry.kind === "reload" && entry.data.stage === "live") setGeneration((old) => old + 1);
    if (entry.kind === "connected" && entry.again) setGeneration((old) => old + 1);
    if (entry.kind !== "request" || entry.data.path?.includes("/admin/plugins")) soon();
  });
  const running = plugins.filter((plugin) => plugin.status === "running");
  const menus = useLoaded(
    () =>
      Promise.all(
        running.map(async (plugin) => ({
          plugin,
          pages: await ask(user.token, "GET", `/api/v1/plugins/${plugin.id}/pages`, { language }).catch(() => []),
        })),
      ),
    [running.map((plugin) => plugin.id).join(), user.eyes, language],
  );
  const first = menus.value?.flatMap(({ plugin, pages }) =>
    pages.filter((page) => !page.hidden).map((page) => `#/app/${plugin.id}/${page.name}`),
  )[0];
  useEffect(() => {
    if (!location.hash.replace(/^#\/?/, "") && menus.value) go(first ?? "#/plugins");
  }, [route.length, menus.value]);
  useEffect(() => setOpen(false), [location.hash]);
  useEffect(() => {
    const escape = (event) => event.key === "Escape" && setOpen(false);
    addEventListener("keydown", escape);
    return () => removeEventListener("keydown", escape);
  }, []);
  const title = document.querySelector("main h1")?.textContent;
  useEffect(() => {
    document.title = [title, "erp-plugin"].filter(Boolean).join(" · ");
  }, [title, route.join("/")]);

  // Nothing is drawn before the menu is loaded: it would push down the content under it.
  if (!menus.value) return null;
  const tools = [
    ["plugins", t("Plugins", "插件"), "plugin"],
    ["calls", t("Calls", "调用"), "calls"],
    ["events", t("Events", "事件"), "events"],
    ["data", t("Data", "数据"), "data"],
    ["invoke", t("Invoke", "调用接口"), "invoke"],
    ["faults", t("Faults & clock", "故障与时钟"), "faults"],
    ["tenants", t("Tenants", "租户"), "team"],
    ["tests", t("Tests", "测试"), "tests"],
  ];
  const link = (href, label, icon) =>
    html`<li key=${href}>
      <a href=${href} aria-current=${`#/${route.join("/")}/`.startsWith(`${href}/`) ? "page" : undefined}
        ><${Icon} name=${icon} /><span>${label}</span></a
      >
    </li>`;
  const [place, ...rest] = route;
  const page = {
    app: () => rest.length >= 2 && html`<${AppPage} plugin=${rest[0]} name=${rest[1]} row=${rest[2]} />`,
    plugins: () => html`<${Plugins} />`,
    calls: () => html`<${Calls} id=${rest[0]} />`,
    events: () => html`<${Events} />`,
    data: () => html`<${Data} plugin=${rest[0]} entity=${rest[1]} row=${rest[2]} />`,
    invoke: () => html`<${Invoke} />`,
    faults: () => html`<${Faults} />`,
    tenants: () => html`<${Tenants} />`,
    tests: () => html`<${Tests} />`,
  }[place]?.();
  return html`<a
      class="skip"
      href="#content"
      onClick=${(event) => {
        event.preventDefault();
        document.getElementById("content").focus();
      }}
      >${t("To the content", "跳到内容")}</a
    >
    <header class="top">
      <${Button}
        kind="ghost"
        icon="menu"
        label=${t("Menu", "菜单")}
        aria-expanded=${isOpen ? "true" : "false"}
        class="button ghost square burger"
        onClick=${() => setOpen(!isOpen)}
      />
      <a class="brand" href="#/"><img src="/console/icon.svg" alt="" width="22" height="22" /><b>erp-plugin</b></a>
      <${Status} projects=${projects} isLost=${isLost} /><span class="grow"></span>
      <${Who} session=${session} />
      <${Select}
        class="language"
        aria-label=${t("Language", "语言")}
        value=${language}
        options=${[
          { value: "zh-CN", label: "中文" },
          { value: "en", label: "English" },
        ]}
        onChange=${session.setLanguage}
      />
      <${Button}
        kind="ghost"
        icon=${isDark ? "sun" : "moon"}
        label=${isDark ? t("Light", "浅色") : t("Dark", "深色")}
        onClick=${turnTheme}
      />
    </header>
    <div class="body">
      <nav class=${`side${isOpen ? " open" : ""}`} aria-label=${t("Pages", "页面")}>
        ${(menus.value ?? []).map(
          ({ plugin, pages }) =>
            html`<${Menu}
              key=${plugin.id}
              plugin=${plugin}
              pages=${pages}
              link=${link}
              several=${menus.value.length > 1}
            />`,
        )}
        <h2>${t("Tools", "工具")}</h2>
        <ul>
          ${tools.map(([name, label, icon]) => link(`#/${name}`, label, icon))}
        </ul>
      </nav>
      <main id="content" tabindex="-1"><${Banner} projects=${projects} isLost=${isLost} />${page}</main>
    </div>
    <${Toasts} />`;
}

/** The pages of a plugin by group, each group sorted by `order`. */
function Menu({ plugin, pages, link, several }) {
  const groups = new Map();
  for (const page of pages.filter((one) => !one.hidden)) {
    const group = page.menu_group ?? plugin.name;
    groups.set(group, [...(groups.get(group) ?? []), page]);
  }
  return html`<${Fragment}>${[...groups].map(
    ([group, own]) => html`<${Fragment} key=${group}><h2>${group}${several ? html` · ${plugin.name}` : ""}</h2>
    <ul>${own
      .sort((a, b) => a.order - b.order)
      .map((page) =>
        link(`#/app/${plugin.id}/${page.name}`, page.label, icons[page.icon] ?? "page"),
      )}</ul></${Fragment}>`,
  )}</${Fragment}>`;
}

/** Chooses the tenant and the user whose view is shown, and changes what that user may do. */
function Who({ session }) {
  const t = useWords();
  const { user, users, tenants, admin, setUser, setUsers } = session;
  const [isOpen, setOpen] = useState(false);
  const [grants, setGrants] = useState("");
  const [department, setDepartment] = useState("");
  const [busy, run] = useDoing();
  const own = users.filter((one) => one.tenant === user.tenant);
  const box = useRef(null);
  useEffect(() => {
    setGrants(user.permissions.join("\n"));
    setDepartment(user.department ?? "");
  }, [user.user, isOpen]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const outside = (event) => !box.current?.contains(event.target) && setOpen(false);
    const escape = (event) => event.key === "Escape" && setOpen(false);
    addEventListener("pointerdown", outside);
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("keydown", escape);
    };
  }, [isOpen]);
  const departments = useLoaded(() => ask(admin.token, "GET", "/api/v1/departments"), []);
  const save = () =>
    run(
      "user",
      async () => {
        const body = { permissions: grants.split(/[\s,]+/).filter(Boolean), department };
        const saved = await ask(admin.token, "PUT", `/_dev/users/${user.user}`, { body });
        setUsers(users.map((one) => (one.user === saved.user ? saved : one)));
        setOpen(false);
      },
      t("From now on", "已生效"),
    );
  const add = () =>
    run("add", async () => {
      const name = `user${users.length + 1}@${user.tenant}`;
      const saved = await ask(admin.token, "PUT", `/_dev/users/${name}`, { body: { permissions: [] } });
      setUsers([...users, saved]);
      setUser(saved.user);
    });
  return html`<div class="who" ref=${box}>
    <${Select}
      aria-label=${t("Tenant", "租户")}
      value=${user.tenant}
      options=${tenants.map((name) => ({ value: name, label: name }))}
      onChange=${(tenant) => setUser(users.find((one) => one.tenant === tenant)?.user)}
    />
    <${Select}
      aria-label=${t("User", "用户")}
      value=${user.user}
      options=${own.map((one) => ({ value: one.user, label: one.user.split("@")[0] }))}
      onChange=${setUser}
    />
    <${Button}
      kind="ghost"
      icon="team"
      label=${t("Role", "角色")}
      aria-expanded=${isOpen ? "true" : "false"}
      onClick=${() => setOpen(!isOpen)}
    />
    ${
      isOpen &&
      html`<div class="popover" role="dialog" aria-label=${t("Role", "角色")}
        onKeyDown=${(event) => event.key === "Escape" && setOpen(false)}>
      <h2>${user.user}</h2><label for="grants">${t("May do", "权限")}</label>
      <textarea id="grants" class="mono" rows="5" value=${grants} onInput=${(event) => setGrants(event.target.value)}
        placeholder="ticket.list:department"></textarea>
      <label for="department">${t("Department", "部门")}</label>
        <${Select} id="department" value=${department} empty=${t("None", "无")}
          options=${(departments.value?.items ?? []).map((one) => ({ value: one.id, label: one.name }))}
            onChange=${setDepartment} />
      <div class="toolbar"><${Button} icon="plus" onClick=${add}>${t("New user", "新用户")}</${Button}><span class="grow">
        </span><${Button} kind="primary" busy=${busy === "user"} onClick=${save}>${t("Save", "保存")}</${Button}></div>
          </div>`
    }
  </div>`;
}

function Status({ projects, isLost }) {
  const t = useWords();
  const words = {
    waiting: t("waiting", "等待"),
    building: t("building", "构建中"),
    checking: t("checking", "检查中"),
    swapping: t("swapping", "切换中"),
    live: t("live", "已生效"),
    failed: t("failed", "失败"),
    asks: t("asks", "待确认"),
  };
  return html`<span class="status" role="status" aria-live="polite"
    >${isLost && html`<span class="chip failed">${t("not connected", "连接断开")}</span>`}
    ${projects.map(
      (project) =>
        html`<span key=${project.project} class=${`chip ${project.stage}`} data-testid="stage">
          <i></i>${project.project}
          <b>${words[project.stage]}</b
          >${project.live ? html` <span class="generation">#${project.live}</span>` : ""}</span
        >`,
    )}</span
  >`;
}

function Banner({ projects, isLost }) {
  const t = useWords();
  const [busy, run] = useDoing();
  const [isOpen, setOpen] = useState(true);
  const troubled = projects.filter((project) => project.trouble);
  return html`${
    isLost &&
    html`<div class="banner bad" role="alert">
      ${t("The dev host does not answer. This page goes on when it does.", "开发服务器没有响应，恢复后页面会自动继续。")}
    </div>`
  }
  ${troubled.map(
    (project) =>
      html`<div key=${project.project} class="banner bad" role="alert" data-testid="banner">
        <header>
          <${Icon} name="warn" /><b>${project.project}: ${project.trouble.summary}</b><span class="grow"></span>
          ${
            project.live &&
            html`<span class="meta">
              ${t(`generation ${project.live} serves on`, `第 ${project.live} 代继续服务`)}</span
            >`
          }
          <${Button}
            kind="ghost"
            icon=${isOpen ? "up" : "down"}
            label=${t("Details", "详情")}
            onClick=${() => setOpen(!isOpen)}
          />
        </header>
        ${isOpen && html`<${Code} value=${project.trouble.text} />`}
        ${
          project.stage === "asks" &&
          html`<div class="toolbar"><p>
            ${t(
              "Put the rows in order, or add a migration, and save again; or give all rows of this plugin up.",
              "请整理数据或添加迁移后再保存；也可以放弃该插件的全部数据。",
            )}</p>
        <${Button} kind="danger" busy=${busy === "loss"}
          onClick=${() =>
            run(
              "loss",
              () => ask(kept.get("token"), "POST", `/_dev/projects/${project.plugin}/accept-loss`),
              t("The rows are gone", "数据已清除"),
            )}>${t("Give the rows up", "放弃数据")}</${Button}></div>`
        }
      </div>`,
  )}`;
}

render(html`<${Root} />`, document.getElementById("root"));
