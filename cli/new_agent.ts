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
import { root } from "../resources.ts";
import type { CommandIo } from "./io.ts";

/** Adds the command `new-agent` to the program. */
export function addNewAgent(program: Command, io: CommandIo): void {
  program.command("new-agent <name>")
    .description("create an agent's profile and prompt to start from")
    .option("--force", "replace files that exist")
    .option("--override", "allow the name of a built-in agent, which the new one replaces")
    .action(async (name: string, allowed: Allowed) => {
      const { home } = readConfig(io.environment().env);
      const [profile, prompt] = await createAgent(home, name, allowed);
      io.write(`Wrote ${profile}\n  and ${prompt}\n\n${nextSteps(home, name)}`);
    });
}

function nextSteps(home: string, name: string): string {
  const pipeline = join(home, "pipelines", `${name}.yaml`);
  return `Next:
  1. Describe in the profile what the agent is for, and in the prompt what it is asked.
  2. Use it in a pipeline, for instance ${pipeline}:

       name: ${name}
       version: 1
       start: answer
       nodes:
         answer: { agent: ${name} }

  3. Run \`orchestrator check\`, then \`orchestrator run ${name} --input "Hello"\`.
`;
}

/** What may be replaced. */
interface Allowed {
  /** Files that exist. */
  force?: boolean;
  /** Agents and prompts that came with the program. */
  override?: boolean;
}

/**
 * Writes `agents/<name>.md` and `prompts/<name>.md` below `home` and returns their paths.
 *
 * @throws `invalid_request` for a bad name, `conflict` when something would be replaced that is not
 *   allowed to be
 */
export async function createAgent(
  home: string,
  name: string,
  { force = false, override = false }: Allowed = {},
): Promise<[profile: string, prompt: string]> {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(name)) {
    throw new OrchestratorError(
      "invalid_request",
      `Cannot name an agent ${
        JSON.stringify(name)
      }: a name consists of 1 to 63 lower-case letters, digits, ` +
        "`-` and `_`, and starts with a letter. Choose another name.",
    );
  }
  if (!override && filesOf(root, name).some(existsSync)) {
    throw new OrchestratorError(
      "conflict",
      `Cannot create the agent ${name}: a built-in agent has this name, and yours would replace it in ` +
        "every pipeline. Choose another name, or add --override to replace it.",
    );
  }
  const files = filesOf(home, name);
  const existing = files.find(existsSync);
  if (existing && !force) {
    throw new OrchestratorError(
      "conflict",
      `Cannot write ${existing}: the file already exists. Choose another name, or add --force to replace it.`,
    );
  }
  await writeFiles(home, files, [profileOf(name), PROMPT]);
  return files;
}

/** Where an agent's profile and prompt are. */
function filesOf(folder: string, name: string): [profile: string, prompt: string] {
  return [join(folder, "agents", `${name}.md`), join(folder, "prompts", `${name}.md`)];
}

async function writeFiles(home: string, paths: string[], texts: string[]): Promise<void> {
  try {
    for (const [at, path] of paths.entries()) {
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, texts[at]!);
    }
  } catch (cause) {
    throw new OrchestratorError(
      "config_invalid",
      `Cannot write to ${home}: ${
        (cause as Error).message
      }. Set ORCHESTRATOR_HOME to a folder that this user can write to.`,
      { cause },
    );
  }
}

const profileOf = (name: string) =>
  `---
name: ${name}
description: Describe in one sentence what this agent is for.
prompt: ${name}
capabilities: []
tools: []
# How many earlier messages of the conversation it sees.
history: 2
# Uncomment these lines to get JSON of this shape instead of text.
# output:
#   type: object
#   required: [summary]
#   properties:
#     summary: { type: string }
---
You are the ${name} agent. Do what you are asked, base it on what you are given, and say so when
something you need is missing.
`;

const PROMPT = `{% if ask %}{{ ask }}{% else %}{{ input | json: 2 }}{% endif %}
{% if documents %}
Documents:
{% for document in documents %}
## {{ document.title }}
{{ document.text }}
{% endfor %}{% endif %}{% if context %}
Context: {{ context | json }}
{% endif %}`;
