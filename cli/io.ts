/** What the commands need from their process. */
import type { Environment } from "../config.ts";

/** The process, as a command sees it. */
export interface CommandIo {
  environment(): Environment;
  /** Writes to standard output. */
  write(text: string): void;
  /** Makes the process end with exit code 1. */
  fail(): void;
  /** Whether standard output shows colours. */
  color: boolean;
}
