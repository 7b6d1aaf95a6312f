/**
 * `orchestrator new-agent <name>`: a profile and a prompt to start from.
 *
 * @module
 */
import type { Command } from "commander";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readConfig } from "../config.ts";
import { OrchestratorError } from "../errors.ts";
import type { CommandIo } from "./io.ts";

/** Adds the command `new-agent` to the program. */
export function addNewAgent(program: Command, io: CommandIo): void {
  program.command("new-agent <name>")
    .description("write an agent's profile and prompt to start from")
    .option("--force", "replace files that exist")
    .action(async (name: string, { force = false }: { force?: boolean }) => {
      const [profile, prompt] = await createAgent(
        readConfig(io.environment().env).home,
        name,
        force,
      );
      io.write(
        `Wrote ${profile}\n  and ${prompt}\n\nNext:\n` +
          "  1. Say in the profile what the agent is for, and in the prompt what it is asked.\n" +
          `  2. Name it in a pipeline: { agent: ${name} }\n` +
          "  3. Run `orchestrator check`.\n",
      );
    });
}

/**
 * Writes `agents/<name>.md` and `prompts/<name>.md` below `home` and returns their paths.
 *
 * @throws `invalid_request` for a bad name, `conflict` when a file exists and `force` is off
 */
export async function createAgent(
  home: string,
  name: string,
  force = false,
): Promise<[profile: string, prompt: string]> {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(name)) {
    throw new OrchestratorError(
      "invalid_request",
      `Cannot name an agent ${
        JSON.stringify(name)
      }: a name begins with a small letter and goes on ` +
        "with small letters, digits, - and _, 63 in all. Choose another name.",
    );
  }
  const profile = join(home, "agents", `${name}.md`);
  const prompt = join(home, "prompts", `${name}.md`);
  const existing = [profile, prompt].find((path) => existsSync(path));
  if (existing && !force) {
    throw new OrchestratorError(
      "conflict",
      `Cannot write ${existing}: it exists. Choose another name, or add --force to replace it.`,
    );
  }
  try {
    for (const [path, text] of [[profile, profileOf(name)], [prompt, PROMPT]] as const) {
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, text);
    }
  } catch (cause) {
    throw new OrchestratorError(
      "config_invalid",
      `Cannot write to ${home}: ${
        (cause as Error).message
      }. Set ORCHESTRATOR_HOME to a folder that this user can write.`,
      { cause },
    );
  }
  return [profile, prompt];
}

const profileOf = (name: string) =>
  `---
name: ${name}
description: Say in one sentence what this agent is for.
prompt: ${name}
capabilities: []
tools: []
# How many earlier messages of the conversation it sees.
history: 2
# Take the # away to get JSON of this form instead of text.
# output:
#   type: object
#   required: [summary]
#   properties:
#     summary: { type: string }
---
You are the ${name} agent. Do what you are asked, base it on what you are given, and say so when
something you need is missing.
`;

const PROMPT = `{{ ask }}
{% if documents %}
Documents:
{% for document in documents %}
## {{ document.title }}
{{ document.text }}
{% endfor %}{% endif %}{% if context %}
Context: {{ context | json }}
{% endif %}`;
