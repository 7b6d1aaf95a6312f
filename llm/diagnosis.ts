/** What is wrong with the way to a provider, in one word and one sentence. @module */
import { toOrchestratorError } from "../errors.ts";
import type { ReachedProviders } from "./clients.ts";
import { explainConnection } from "./connection.ts";
import { type ProviderName, rowOf } from "./providers.ts";

/**
 * What fails: the name, the certificate, the connection, the time, the key, the model, the account's
 * quota, or the provider itself.
 */
export type Failing =
  | "dns"
  | "tls"
  | "connection"
  | "timeout"
  | "auth"
  | "model"
  | "quota"
  | "provider";

/** A diagnosis. */
export interface Diagnosis {
  failed: Failing;
  /** Why, and what to do. Reads on after the provider's name. */
  message: string;
}

/** Why a call of `provider` failed. Looks at the network where the call broke on its way. */
export async function diagnose(
  thrown: unknown,
  provider: string,
  { providers }: Pick<ReachedProviders, "providers">,
): Promise<Diagnosis> {
  const { code, message } = toOrchestratorError(thrown);
  const timedOut = code === "model_timeout" || (thrown as Error | null)?.name === "TimeoutError";
  if (timedOut || code === "model_unavailable") {
    const address = providers[provider as ProviderName]?.base_url ?? rowOf(provider)?.address;
    return await onTheWay(message, timedOut, address ?? undefined);
  }
  switch (code) {
    case "model_auth":
      return {
        failed: "auth",
        message: "rejects the key: check that it is complete, active and for this provider",
      };
    case "model_rate_limited":
      return {
        failed: "quota",
        message: "reports a rate limit or a used-up quota: check the account's plan and credit",
      };
    case "model_not_found":
      return {
        failed: "model",
        message: "does not know the address or the model: check the base URL and LLM_DEFAULT_MODEL",
      };
    default:
      return { failed: "provider", message };
  }
}

async function onTheWay(
  message: string,
  timedOut: boolean,
  address: string | undefined,
): Promise<Diagnosis> {
  if (address === undefined) return { failed: timedOut ? "timeout" : "provider", message };
  const way = await explainConnection(address);
  if (way.failed) return { failed: way.failed, message: `cannot be reached: ${way.message}` };
  if (!timedOut) return { failed: "provider", message };
  return {
    failed: "timeout",
    message:
      "does not answer in time: try again, choose a faster model or raise LLM_TIMEOUT_SECONDS",
  };
}
