/** The mock as a program over standard input and output: `deno run -A tests/_mock/mcp_stdio.ts`. @module */
// @ts-types="@modelcontextprotocol/sdk/server/stdio"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { createServer, takesQ, text } from "./mcp_server.ts";

const server = createServer(
  () => ["echo", "variables", "crash", "huge"].map((n) => takesQ(n)),
  () => ({
    echo: ({ q }) => text(`echo ${q}`),
    variables: () => text(Object.keys(Deno.env.toObject()).sort().join(" ")),
    crash: () => Deno.exit(3),
    huge: () => text("x".repeat(12 * 1024 * 1024)),
  }),
);
await server.connect(new StdioServerTransport());
