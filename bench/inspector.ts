/** A process's inspector, as far as a profile needs it. @module */

/** Sends commands of the DevTools protocol. */
export interface Inspector {
  /** @returns what the command returns */
  send<T>(method: string, params?: Record<string, unknown>): Promise<T>;
  close(): void;
}

/** A profile as the protocol has it: what each node of the call tree took, sample by sample. */
export interface Profile {
  nodes: ProfileNode[];
  /** Ids of nodes. */
  samples: number[];
  /** Microseconds before each sample. */
  timeDeltas: number[];
}

/** A function at one place of the call tree. */
export interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: number[];
}

/** Connects to the inspector that listens on a port of this machine. */
export async function openInspector(port: number): Promise<Inspector> {
  const [target] = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const answers = new Map<number, (result: unknown) => void>();
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(data);
    answers.get(id)?.(result);
  };
  let id = 0;
  return {
    send<T>(method: string, params = {}) {
      socket.send(JSON.stringify({ id: ++id, method, params }));
      return new Promise<T>((resolve) => answers.set(id, resolve as (result: unknown) => void));
    },
    close: () => socket.close(),
  };
}
