/** The tool `datasource`: queries to a service of the operator. @module */
import type { DataSource } from "../../config/external.ts";
import type { Egress } from "../../guard/mod.ts";
import { type Breakers, createBreakers } from "../breaker.ts";
import type { Tool } from "../tool.ts";
import { post } from "./json_service.ts";

const NAME = "datasource";

/** Makes the tool, and the breakers in front of the service. */
export function createDatasource(
  source: DataSource,
  egress: Egress,
): { tool: Tool; breakers: Breakers } {
  const breakers = createBreakers({ name: NAME });
  const tool: Tool = {
    name: NAME,
    description: "Answers a query from the data of this organization, as JSON.",
    input: {
      type: "object",
      properties: {
        query: {
          type: ["string", "object"],
          description: "The query, in the form that the data source accepts.",
        },
        parameters: { type: "object", description: "Values for the query's parameters." },
      },
      required: ["query"],
      additionalProperties: false,
    },
    source: "agent",
    capability: "read",
    effect: "at_least_once",
    timeout_ms: source.timeout_ms,
    untrusted: true,
    secrets: () => source.auth_token ? [source.auth_token.reveal()] : [],
    run: ({ query = null, parameters = {} }, scope) => {
      const body = { query, parameters, user_id: scope.caller.actor };
      return breakers.of(scope.caller).run(() =>
        post(egress, { ...source, name: NAME }, body, scope)
      );
    },
  };
  return { tool, breakers };
}
