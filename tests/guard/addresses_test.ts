import { expect } from "expect";
import fc from "fast-check";
import { isLocalName, privateRange } from "../../guard/addresses.ts";

const PRIVATE = [
  ...["0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255"],
  ...["127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255"],
  ...["192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7"],
  ...["203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"],
  ...["::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"],
  ...["::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1"],
  ...["64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2001:0:7f00:1::1"],
  ...["2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "100::1", "fc00::1"],
  ...["fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "5f00::1"],
];

Deno.test("privateRange() names the range of every address that is not public", () => {
  const wrong = PRIVATE.filter((address) => privateRange(address) === undefined);
  expect(wrong).toEqual([]);
});

Deno.test("privateRange() lets public addresses pass", () => {
  const public_ones = [
    ...["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"],
    ...["172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.255.255", "223.255.255.255"],
    ...["2606:4700::1111", "2a00:1450:4001::200e", "64:ff9b::808:808"],
  ];
  for (const address of public_ones) {
    expect([address, privateRange(address)]).toEqual([address, undefined]);
  }
});

Deno.test("privateRange() takes for private what is no address", () => {
  for (const text of ["", "localhost", "1.2.3.4.5", ":::1", "fe80::1%eth0"]) {
    expect(privateRange(text)).toBeDefined();
  }
});

Deno.test("privateRange() finds private IPv4 addresses inside NAT64 ones", () => {
  fc.assert(fc.property(fc.ipV4(), (address) => {
    const inside = privateRange(`64:ff9b::${address}`) !== undefined;
    expect(inside).toBe(privateRange(address) !== undefined);
    // 6to4 and mapped forms are never needed to reach a public host.
    expect(privateRange(`::ffff:${address}`)).toBeDefined();
  }));
});

Deno.test("isLocalName() knows names that never lead outside", () => {
  const local = ["localhost", "a.localhost", "printer.local", "metadata.google.internal"];
  expect(local.map(isLocalName)).toEqual([true, true, true, true]);
  const others = ["example.com", "localhost.example.com", "notlocalhost", "internal.example"];
  expect(others.map(isLocalName)).toEqual([false, false, false, false]);
});
