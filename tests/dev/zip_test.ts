import { expect } from "expect";
import { Buffer } from "node:buffer";
import { crc32, deflateRawSync } from "node:zlib";
import { stored } from "../../dev/zip.ts";

interface Entry {
  name: string;
  content: Buffer;
  deflate: boolean;
  extra: Buffer;
}

const FLAG_SIZES_BEHIND = 8;

/** An archive as other programs write it: with extra fields, comments and sizes behind contents. */
function archive(entries: Entry[]): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content, deflate, extra } of entries) {
    const packed = deflate ? deflateRawSync(content) : content;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(FLAG_SIZES_BEHIND, 2);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    common.writeUInt16LE(extra.length, 24);
    const local = [Buffer.from("PK\x03\x04"), common, Buffer.from(name), extra, packed];
    const tail = Buffer.alloc(14);
    tail.writeUInt16LE("why".length, 0);
    tail.writeUInt32LE(at, 10);
    const central = ["PK\x01\x02", "\x14\x03"].map((text) => Buffer.from(text, "latin1"));
    directory.push(...central, common, tail, Buffer.from(name), extra, Buffer.from("why"));
    parts.push(...local);
    at += Buffer.concat(local).length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.from("PK\x05\x06".padEnd(22, "\0"), "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listing, end]);
}

const text = Buffer.from("print('hello')\n".repeat(100));
const entries: Entry[] = [
  { name: "a.py", content: text, deflate: true, extra: Buffer.from([1, 0, 1, 0, 7]) },
  { name: "b/c.bin", content: Buffer.from([0, 255, 8]), deflate: false, extra: Buffer.alloc(0) },
  { name: "empty", content: Buffer.alloc(0), deflate: true, extra: Buffer.alloc(0) },
];

Deno.test("stored() keeps names and contents, and compresses none", () => {
  const zip = Buffer.from(stored(archive(entries)));
  let at = zip.readUInt32LE(zip.length - 6);
  for (const { name, content } of entries) {
    expect(zip.readUInt16LE(at + 10)).toBe(0);
    expect(zip.toString("utf8", at + 46, at + 46 + name.length)).toBe(name);
    expect(zip.readUInt32LE(at + 16)).toBe(crc32(content));
    const local = zip.readUInt32LE(at + 42);
    expect(zip.toString("latin1", local, local + 4)).toBe("PK\x03\x04");
    const begin = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    expect(zip.subarray(begin, begin + zip.readUInt32LE(at + 24))).toEqual(content);
    expect(zip.readUInt32LE(at + 20)).toBe(content.length);
    at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  expect(at).toBe(zip.length - 22);
});
