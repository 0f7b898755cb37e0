/** A row: the entity's fields, and what the platform says of it. */
export interface Row<Data> {
  id: string;
  data: Data;
  created_at: string;
  updated_at: string;
  version: number;
}

export interface Page<Data> {
  items: Row<Data>[];
  total: number | null;
  page: number;
  page_size: number;
  next_cursor: string | null;
}

export interface ListQuery {
  page?: number;
  page_size?: number;
  cursor?: string;
  search?: string;
  filter?: Record<string, unknown>;
  sort_by?: string;
  sort_order?: "asc" | "desc";
}

export interface ImportResult {
  imported: number;
  accepted: number;
  refused: number;
  dry_run: boolean;
  ids: string[];
  errors: { row: number; code: string; message: string; details?: unknown }[];
}

/** What the platform refused, with its stable code. */
export class PlatformError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details?: unknown,
  ) {
    super(message);
    this.name = "PlatformError";
  }
}

export interface ClientOptions {
  /** Where the platform answers, such as `http://127.0.0.1:7171`. */
  url: string;
  /** A bearer token. */
  token: string;
  /** Replaces the runtime's own `fetch`. */
  fetch?: typeof fetch;
}

type Query = Record<string, string | number | undefined>;

export class Transport {
  constructor(private readonly options: ClientOptions) {}

  async ask<T>(method: string, path: string, query: Query = {}, body?: unknown): Promise<T> {
    const url = new URL(path, this.options.url);
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const headers: Record<string, string> = { authorization: `Bearer ${this.options.token}` };
    const init: RequestInit = { method, headers };
    if (body !== undefined) {
      headers["content-type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    const send = this.options.fetch ?? fetch;
    const response = await send(url, init);
    if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
    const told = (await response.json().catch(() => ({}))) as { code?: string; message?: string; details?: unknown };
    throw new PlatformError(response.status, told.code ?? "http.error", told.message ?? response.statusText, told.details);
  }
}

/** Method and path below an entity's rows of each operation, from the routes of the platform. */
const ROUTES = {} as const;

/** The rows of an entity. `Fields` is what a new row brings. */
export class Entity<Data, Fields> {
  constructor(
    protected readonly transport: Transport,
    protected readonly path: string,
  ) {}

  private ask<T>(
    operation: keyof typeof ROUTES,
    segments: Record<string, string> = {},
    query: Query = {},
    body?: unknown,
  ): Promise<T> {
    const [method, below] = ROUTES[operation];
    const path = below.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(segments[name] ?? ""));
    return this.transport.ask(method, this.path + path, query, body);
  }

  list(query: ListQuery = {}): Promise<Page<Data>> {
    const { filter, ...rest } = query;
    return this.ask("list", {}, { ...rest, filter: filter && JSON.stringify(filter) });
  }

  /** Every row of a list, page by page. */
  async *each(query: Omit<ListQuery, "page" | "cursor"> = {}): AsyncGenerator<Row<Data>> {
    let cursor: string | undefined;
    do {
      const page: Page<Data> = await this.list(cursor === undefined ? query : { ...query, cursor });
      yield* page.items;
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
  }

  get(id: string): Promise<Row<Data>> {
    return this.ask("get", { id });
  }

  create(data: Fields): Promise<Row<Data>> {
    return this.ask("create", {}, {}, { data });
  }

  /** Changes some fields. Where somebody changed the row meanwhile, that is a `PlatformError` with status 409. */
  update(row: Pick<Row<Data>, "id" | "version">, data: Partial<Fields>): Promise<Row<Data>> {
    return this.ask("update", { id: row.id }, {}, { data, version: row.version });
  }

  replace(row: Pick<Row<Data>, "id" | "version">, data: Fields): Promise<Row<Data>> {
    return this.ask("replace", { id: row.id }, {}, { data, version: row.version });
  }

  delete(row: Pick<Row<Data>, "id"> & { version?: number }): Promise<void> {
    return this.ask("delete", { id: row.id }, { version: row.version });
  }

  async count(query: Pick<ListQuery, "filter" | "search"> = {}): Promise<number> {
    const { filter, ...rest } = query;
    const found = await this.ask<{ count: number }>(
      "count",
      {},
      { ...rest, filter: filter && JSON.stringify(filter) },
    );
    return found.count;
  }

  aggregate(query: Record<string, unknown>): Promise<Record<string, unknown>[]> {
    return this.ask("aggregate", {}, {}, query);
  }

  labels(fields: { [Name in keyof Data]?: string[] }): Promise<Record<string, Record<string, string>>> {
    return this.ask("labels", {}, {}, { fields });
  }

  protected act(id: string, action: string, input: Record<string, unknown>): Promise<unknown> {
    return this.ask("action", { id, action }, {}, input);
  }

  protected bring(rows: Fields[], dryRun: boolean): Promise<ImportResult> {
    return this.ask("import", {}, {}, { rows, dry_run: dryRun });
  }
}
