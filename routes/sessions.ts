/** An open stream or socket. */
export interface Session {
  /** Ends it because the server is stopping; the client can resume elsewhere. */
  close(): void;
}

/** The streams and sockets that are open now. */
export interface Sessions {
  readonly size: number;
  /** Until the returned function is called. After shutdown began, the session is closed at once. */
  add(session: Session): () => void;
}

/** Keeps open sessions, and ends them when `shutdown` is aborted. */
export function createSessions(shutdown: AbortSignal): Sessions {
  const open = new Set<Session>();
  shutdown.addEventListener("abort", () => {
    for (const session of [...open]) session.close();
  }, { once: true });
  return {
    get size() {
      return open.size;
    },
    add(session) {
      open.add(session);
      // Not at once: the caller is still setting itself up.
      if (shutdown.aborted) queueMicrotask(() => session.close());
      return () => open.delete(session);
    },
  };
}
