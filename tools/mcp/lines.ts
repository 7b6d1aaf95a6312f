/**
 * Reads messages from a program's output, one a line.
 *
 * The SDK's own buffer copies and searches all that it holds with every piece that comes: a long
 * line would keep the whole service busy for seconds.
 *
 * @module
 */

/** Takes the place of the SDK's `ReadBuffer`. */
export class LineBuffer<T> {
  private parts: Uint8Array[] = [];
  private size = 0;
  private lines: string[] = [];

  constructor(
    private readonly max_bytes: number,
    private readonly parse: (line: string) => T,
    private readonly tooLarge: () => Error,
  ) {}

  /** Takes a piece. @throws the error of `tooLarge` at a line of more than `max_bytes` */
  append(chunk: Uint8Array): void {
    // A `Buffer` would search in a slow way.
    let rest = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.push(rest.subarray(0, end));
      this.lines.push(this.takeLine());
      rest = rest.subarray(end + 1);
    }
    this.push(rest);
  }

  /** The next whole message, or `null`. @throws what `parse` throws */
  readMessage(): T | null {
    const line = this.lines.shift();
    return line === undefined ? null : this.parse(line);
  }

  /** Forgets everything. */
  clear(): void {
    [this.parts, this.size, this.lines] = [[], 0, []];
  }

  private push(part: Uint8Array): void {
    this.size += part.length;
    if (this.size > this.max_bytes) {
      this.clear();
      throw this.tooLarge();
    }
    this.parts.push(part);
  }

  private takeLine(): string {
    const decoder = new TextDecoder();
    const text = this.parts.map((part) => decoder.decode(part, { stream: true })).join("");
    [this.parts, this.size] = [[], 0];
    return text + decoder.decode();
  }
}
