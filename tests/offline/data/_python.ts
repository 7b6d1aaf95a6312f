/** Asks the machine's Python whether code is valid. */
const CHECK = `
import json, sys
wrong = []
for source in json.load(sys.stdin):
    try:
        compile(source, "code.py", "exec")
    except (SyntaxError, ValueError) as error:
        wrong.append(f"{error}: {source}")
json.dump(wrong, sys.stdout)
`;

/** What is wrong with each source that does not compile; empty, and said so, without a python3. */
export async function compilesAsPython(sources: string[]): Promise<string[]> {
  try {
    const child = new Deno.Command("python3", {
      args: ["-c", CHECK],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(sources)));
    await writer.close();
    const { stdout } = await child.output();
    return JSON.parse(new TextDecoder().decode(stdout));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const text = "not checked as Python: there is no python3 here\n";
    Deno.stdout.writeSync(new TextEncoder().encode(text));
    return [];
  }
}
