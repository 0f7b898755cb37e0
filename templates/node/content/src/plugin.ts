// The nodes of the manifest.
import { definitions } from "./erp/definitions.js";
import { guarded, refuse, tryLater, utf8 } from "./erp/guard.js";
import { send } from "erp:plugin/host-http@1.0.0";
import * as expressions from "erp:plugin/host-expr@1.0.0";
import { append, recent } from "erp:plugin/host-memory@1.0.0";
import type * as Base from "erp:plugin/base@1.0.0";
import type * as Nodes from "erp:plugin/nodes@1.0.0";
import type { CallContext } from "erp:plugin/types@1.0.0";

/** Where rates come from; the manifest's `capabilities.http` names it too. */
const RATES = "https://rates.example.com/v1";

type Item = Record<string, unknown>;
type Parameters = Record<string, unknown>;

const word = (value: unknown): string => (typeof value === "string" ? value : "");

/** An expression over an item, computed by the host: exact, and as everywhere on the platform. */
function evaluate(expression: string, vars: Item): unknown {
  return JSON.parse(expressions.eval(expression, JSON.stringify(vars)));
}

/** Asks the service; what may be gone when it is asked again is told as retryable. */
function ask(path: string): unknown {
  const answer = send({ method: "GET", url: `${RATES}/${path}`, headers: [], timeoutMs: 3_000 });
  if (answer.status === 404) throw refuse("rate.unknown", `the service knows no ${path}`);
  if (answer.status !== 200) throw tryLater("rate.unavailable", `the service answered ${answer.status}`);
  return JSON.parse(utf8(answer.body));
}

function group(parameters: Parameters, items: Item[]): Item[] {
  const by = word(parameters["group_by"]);
  if (by === "count" || by === "sum") throw refuse("group.taken", "`count` and `sum` are what a group is given");
  const groups: Item[] = [];
  for (const item of items) {
    let group = groups.find((known) => known[by] === item[by]);
    if (group === undefined) groups.push((group = { [by]: item[by], count: 0 }));
    group["count"] = Number(group["count"]) + 1;
    if (parameters["mode"] === "sum") {
      const value = evaluate(word(parameters["value"]), item);
      group["sum"] = evaluate("a + b", { a: group["sum"] ?? 0, b: value });
    }
  }
  return groups;
}

function rate(parameters: Parameters, items: Item[]): Item[] {
  const { rate } = ask(`rates/${word(parameters["currency"])}`) as { rate: string };
  return items.map((item) => ({ ...item, rate }));
}

const executors: Record<string, (parameters: Parameters, items: Item[]) => Item[]> = {
  "{= id =}.group": group,
  "{= id =}.rate": rate,
};

class Executor implements Nodes.Executor {
  readonly #run: (items: Item[]) => Item[];

  private constructor(run: (items: Item[]) => Item[]) {
    this.#run = run;
  }

  static create(kind: string, _version: string, parameters: string): Executor {
    const run = executors[kind];
    if (run === undefined) throw refuse("node.unknown", `there is no node \`${kind}\``);
    const given = JSON.parse(parameters) as Parameters;
    return new Executor((items) => run(given, items));
  }

  execute(_: Nodes.NodeContext, input: string): Nodes.PortOutput[] {
    return guarded(() => {
      const ports = JSON.parse(input) as { main?: Item[] };
      return [{ port: "main", items: JSON.stringify(this.#run(ports.main ?? [])) }];
    })();
  }
}

class Supplier implements Nodes.Supplier {
  readonly #parameters: Parameters;

  private constructor(parameters: Parameters) {
    this.#parameters = parameters;
  }

  static create(kind: string, _version: string, parameters: string): Supplier {
    if (kind !== "{= id =}.notes") throw refuse("node.unknown", `there is no node \`${kind}\``);
    return new Supplier(JSON.parse(parameters) as Parameters);
  }

  supply(context: Nodes.NodeContext): string {
    return guarded(() => {
      const session = `${context.workflowId}/${word(this.#parameters["session"])}`;
      if (typeof this.#parameters["note"] === "string") {
        append(session, JSON.stringify({ note: this.#parameters["note"] }));
      }
      return JSON.stringify({ session, recent: recent(session, 10).map((item) => JSON.parse(item) as Item) });
    })();
  }
}

export const base: typeof Base = {
  init: guarded((_: CallContext) => {}),
};

export const nodes = {
  Executor,
  Supplier,
  getNodeDefinitions: guarded(() => definitions),
  loadOptions: guarded((_kind: string, _version: string, _property: string, _parameters: string) => {
    const known = ask("currencies") as { code: string; name: string }[];
    return JSON.stringify(known.map(({ code, name }) => ({ value: code, label: name })));
  }),
};
