/**
 * What an A2A agent said so far: a message, or a task with its artifacts, from a stream of updates or
 * from whole answers.
 *
 * @module
 */
import type { Artifact, Message, Part, StreamResponse, Task, TaskState } from "@a2a-js/sdk";

/** Collects what one agent says to one message. */
export class Reply {
  /** An answer without a task. */
  message?: Message;
  task?: { id: string; contextId: string };
  state?: TaskState;
  /** What the task's status says to people. */
  said?: Message;
  private readonly artifacts = new Map<string, Artifact>();

  /** Takes one update. */
  apply({ payload }: StreamResponse): void {
    switch (payload?.$case) {
      case "message":
        this.message = payload.value;
        break;
      case "task":
        this.replace(payload.value);
        break;
      case "statusUpdate": {
        const { taskId, contextId, status } = payload.value;
        this.task ??= { id: taskId, contextId };
        this.state = status?.state;
        this.said = status?.message;
        break;
      }
      case "artifactUpdate": {
        const { taskId, contextId, artifact, append } = payload.value;
        this.task ??= { id: taskId, contextId };
        if (artifact) this.add(artifact, append);
      }
    }
  }

  /** Replaces what was known of the task by a whole task. */
  replace({ id, contextId, status, artifacts }: Task): void {
    this.task = { id, contextId };
    this.state = status?.state;
    this.said = status?.message;
    this.artifacts.clear();
    for (const artifact of artifacts) this.add(artifact, false);
  }

  /** Its result: its artifacts, or its message if it has none. */
  parts(): Part[] {
    if (this.message) return this.message.parts;
    const made = [...this.artifacts.values()].flatMap(({ parts }) => parts);
    return made.length > 0 ? made : this.said?.parts ?? [];
  }

  /** The words of what it gave. A text that was streamed is in many parts of one artifact. */
  words(): string {
    const made = [...this.artifacts.values()].map(({ parts }) => textsIn(parts).join(""));
    return this.message || made.length === 0 ? this.remark() : made.filter(Boolean).join("\n");
  }

  /** What it says to people: its message, or why its task is as it is. */
  remark(): string {
    return textsIn((this.message ?? this.said)?.parts ?? []).join("\n");
  }

  private add(artifact: Artifact, append: boolean): void {
    const before = append ? this.artifacts.get(artifact.artifactId) : undefined;
    const parts = [...before?.parts ?? [], ...artifact.parts];
    this.artifacts.set(artifact.artifactId, { ...artifact, parts });
  }
}

function textsIn(parts: Part[]): string[] {
  return parts.flatMap(({ content }) => content?.$case === "text" ? [content.value] : []);
}
