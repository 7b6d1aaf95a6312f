/**
 * Cron expressions: five fields (minute, hour, day of the month, month, day of the week) or a name
 * such as `@daily`, read in a time zone.
 *
 * The library is loaded with the first schedule: most services have none.
 *
 * @module
 */
import type { Cron } from "croner";

/** The time zone of a schedule that names none. */
export const DEFAULT_TIMEZONE = "UTC";

/** When a schedule comes due; all times in milliseconds since the epoch. */
export interface Ticks {
  /** The first tick after `time`, if any. */
  next(time: number): number | undefined;
  /** The last tick at or before `time`, if any. */
  last(time: number): number | undefined;
}

/** What is wrong with a schedule, and in which of its fields. */
export interface CronProblem {
  field: "cron" | "timezone";
  /** What is wrong and how to fix it. */
  message: string;
}

/** Why a schedule cannot be kept; nothing when it can. */
export async function cronProblem(
  cron: string,
  timezone = DEFAULT_TIMEZONE,
): Promise<CronProblem | undefined> {
  if (!isTimezone(timezone)) {
    const message = `"${timezone}" is not a time zone: write a name such as Europe/Vienna or UTC`;
    return { field: "timezone", message };
  }
  if (!isPlain(cron)) {
    const message = `"${cron}" is not a cron expression: write five fields (minute, hour, day of ` +
      'the month, month, day of the week) such as "0 9 * * 1-5", or @hourly, @daily, @weekly, ' +
      "@monthly, @yearly";
    return { field: "cron", message };
  }
  try {
    const ticks = await readCron(cron, timezone);
    if (ticks.next(0) !== undefined) return undefined;
    return { field: "cron", message: `"${cron}" never matches: there is no such day` };
  } catch (error) {
    const why = (error as Error).message.replace(/^CronPattern: /, "");
    return { field: "cron", message: `"${cron}" is not a cron expression: ${why}` };
  }
}

/**
 * The ticks of a schedule. Where clocks are put forward, a schedule with one hour and one minute
 * comes right after the gap and others skip it; where they are put back, the former comes once and
 * others come in both hours.
 *
 * @throws when {@linkcode cronProblem} finds something
 */
export async function readCron(cron: string, timezone = DEFAULT_TIMEZONE): Promise<Ticks> {
  const { Cron } = await import("croner");
  const pattern: Cron = new Cron(cron, { timezone, mode: "5-part", paused: true });
  return {
    next: (time) => pattern.nextRun(new Date(time))?.getTime(),
    // The library looks before a time: the second after this one, as ticks are whole seconds.
    last: (time) =>
      pattern.previousRuns(1, new Date((Math.floor(time / 1000) + 1) * 1000)).at(0)?.getTime(),
  };
}

/** Five fields or a name: no seconds, which would start a run each second by mistake. */
function isPlain(cron: string): boolean {
  return /^@[a-z]+$/i.test(cron) || /^[^\s?@]+(?: +[^\s?@]+){4}$/.test(cron);
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
