/** Finds out why an address cannot be reached, stage by stage: name, connection, certificate. */
import { lookup } from "node:dns/promises";

/** The network as {@linkcode explainConnection} uses it. Every function rejects where it fails. */
export interface Network {
  lookup(hostname: string): Promise<unknown>;
  connect(hostname: string, port: number): Promise<Disposable>;
  /** Connects and shakes hands. */
  connectTls(hostname: string, port: number): Promise<Disposable>;
}

const SYSTEM: Network = {
  lookup: (hostname) => lookup(hostname),
  connect: (hostname, port) => Deno.connect({ hostname, port }),
  async connectTls(hostname, port) {
    const connection = await Deno.connectTls({ hostname, port });
    try {
      await connection.handshake();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  },
};

/** Why `address` cannot be reached and what to do, or that it can. */
export async function explainConnection(address: string, network = SYSTEM): Promise<string> {
  const { hostname, host, protocol, port } = new URL(address);
  const number = Number(port) || (protocol === "https:" ? 443 : 80);
  const fails = (attempt: Promise<Disposable | unknown>) =>
    attempt.then((made) => (made as Partial<Disposable>)?.[Symbol.dispose]?.(), () => true);

  if (await fails(network.lookup(hostname))) {
    return `the name ${hostname} cannot be resolved: check its spelling, the DNS and, behind a ` +
      "proxy, HTTPS_PROXY";
  }
  if (await fails(network.connect(hostname, number))) {
    return `nothing answers at ${host} (port ${number}): check that the server runs and that no ` +
      "firewall is in between; behind a proxy, set HTTPS_PROXY";
  }
  if (protocol === "https:" && await fails(network.connectTls(hostname, number))) {
    return `the certificate of ${host} is not accepted: check the machine's clock; where a proxy ` +
      "re-signs traffic, set DENO_TLS_CA_STORE=system or DENO_CERT to its CA file";
  }
  return `${host} can be reached, so the fault is likely to pass: try again`;
}
