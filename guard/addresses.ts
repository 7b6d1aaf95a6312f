/**
 * Which addresses are public. Everything that is not known to be public counts as private: a range
 * that is missing here is refused, not reached.
 *
 * @module
 */
import ipaddr from "ipaddr.js";

/** All public IPv6 addresses are in here (RFC 4291); the rest is unassigned or special. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");
/** Special ranges that the library takes for unicast. */
const SPECIAL: [ipaddr.IPv6, number][] = [ipaddr.IPv6.parseCIDR("3fff::/20")];
/** Names that never lead outside (RFC 6761, RFC 6762, ICANN's private-use domain). */
const LOCAL_NAMES = ["localhost", "local", "internal"];

/**
 * What kind of address it is, when it is not a public one: `loopback`, `private`, … Nothing for a
 * public address.
 *
 * @param text an IPv4 address in dotted form or an IPv6 address without brackets
 */
export function privateRange(text: string): string | undefined {
  if (!ipaddr.isValid(text)) return "malformed";
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv4 ? privateV4(address) : privateV6(address);
}

function privateV4(address: ipaddr.IPv4): string | undefined {
  const range = address.range();
  return range === "unicast" ? undefined : range;
}

function privateV6(address: ipaddr.IPv6): string | undefined {
  const range = address.range();
  // NAT64: how public IPv4 addresses look in an IPv6-only network. Its last 32 bits are the address.
  if (range === "rfc6052") return privateV4(new ipaddr.IPv4(address.toByteArray().slice(12)));
  if (range !== "unicast") return range;
  if (!address.match(GLOBAL_UNICAST)) return "reserved";
  return SPECIAL.some((block) => address.match(block)) ? "reserved" : undefined;
}

/** True for names that never lead outside. @param host without trailing dots, lower-case */
export function isLocalName(host: string): boolean {
  return LOCAL_NAMES.some((name) => host === name || host.endsWith(`.${name}`));
}
