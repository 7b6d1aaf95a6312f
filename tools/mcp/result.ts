/** What an MCP tool answered, as JSON; its files become artifacts. @module */
import { OrchestratorError, sentence } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import {
  type Artifact,
  distinct,
  type NewArtifact,
  type ToolInfo,
  type ToolScope,
} from "../tool.ts";
import { excerpt } from "./failure.ts";
import type { CallToolResult } from "./sdk.ts";

type Content = CallToolResult["content"][number];

/**
 * Structured content as it is; without it `{ text, files?, links? }`.
 *
 * @throws `tool_failed` when the tool says that it failed, `tool_bad_output`
 */
export async function readResult(
  { name, output }: ToolInfo,
  result: CallToolResult,
  keep: ToolScope["keep"],
): Promise<Json> {
  const content = result.content ?? [];
  const text = content.flatMap(textOf).join("\n");
  if (result.isError) {
    const why = excerpt(text) || "it gave no reason";
    throw new OrchestratorError("tool_failed", `Cannot get a result of ${name}: ${sentence(why)}`);
  }
  const files: Artifact[] = [];
  for (const file of content.flatMap((item) => fileOf(name, item))) {
    files.push(await keep({ ...file, name: distinct(file.name, files) }));
  }
  if (result.structuredContent !== undefined) return result.structuredContent as Json;
  if (output) {
    throw new OrchestratorError(
      "tool_bad_output",
      `Cannot use the result of ${name}: it has a schema, but no structured content. Fix the server.`,
    );
  }
  const links = content.flatMap((item) =>
    item.type === "resource_link" ? [{ name: item.name, uri: item.uri }] : []
  );
  return {
    text,
    ...(files.length > 0 ? { files: files.map((file) => ({ ...file })) } : {}),
    ...(links.length > 0 ? { links } : {}),
  };
}

function textOf(item: Content): string[] {
  if (item.type === "text") return [item.text];
  return item.type === "resource" && "text" in item.resource ? [item.resource.text] : [];
}

function fileOf(tool: string, item: Content): NewArtifact[] {
  if (item.type === "image" || item.type === "audio") {
    const name = `${tool}.${item.mimeType.split("/")[1]?.replace(/\W.*/, "") || "bin"}`;
    return [{ name, type: item.mimeType, bytes: Uint8Array.fromBase64(item.data) }];
  }
  if (item.type !== "resource" || !("blob" in item.resource)) return [];
  const { uri, mimeType = "application/octet-stream", blob } = item.resource;
  const name = uri.split(/[/\\?#]/).findLast((part) => part !== "") ?? tool;
  return [{ name: name.slice(0, 100), type: mimeType, bytes: Uint8Array.fromBase64(blob) }];
}
