/** Code that means harm, and how it must end; run from source and in the executable. */

/** Runs every code of `input` and tells which did not fail. */
export const ALL_FAIL = `
from pyodide.code import eval_code_async
result = []
for code in input:
    try:
        result.append([code, repr(await eval_code_async(code, {}))])
    except Exception:
        pass
`;

/** Each fails, whatever it tries. */
export const PYTHON_ESCAPES: string[] = [
  "open('/etc/passwd').read()",
  "open('/proc/self/environ').read()",
  "from js import Deno",
  "from js import process",
  "from js import fetch",
  "import js; js.eval('1')",
  "import js; js.Object.constructor('return 1')()",
  "import js; js.setTimeout.constructor('return 1')()",
  "import js; js.Object.getPrototypeOf(js.setTimeout).constructor('return 1')()",
  "from pyodide.code import run_js; run_js('1')",
  "import pyodide_js; pyodide_js.mountNodeFS('/mnt', '/etc'); open('/mnt/passwd').read()",
  "import pyodide_js; await pyodide_js.loadPackage('numpy'); import numpy",
  "import pyodide_js; pyodide_js._module.constructor.constructor('return 1')()",
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1').read()",
  "import socket; s = socket.socket(); s.connect(('127.0.0.1', 80)); s.send(b'x')",
  "import subprocess; subprocess.run(['ls'])",
  "import os; os.fork()",
  "import os; os.execv('/bin/ls', ['ls'])",
  "import threading; threading.Thread(target=print).start()",
  "import multiprocessing; multiprocessing.Process(target=print).start()",
  "def f(): return f()\nf()",
];

/** Each ends with `code_failed`, some with the interpreter. */
export const PYTHON_BREAKS: string[] = [
  "lambda: 1",
  "d = []\nfor i in range(10 ** 5): d = [d]\nd",
  "a = []; a.append(a); a",
  "float('nan')",
  "import sys; sys.exit(3)",
  "import ctypes; ctypes.string_at(0xfffffff0, 10 ** 6)",
];

/** Each goes on until it is ended. */
export const PYTHON_ENDLESS: string[] = [
  "while True: pass",
  "import time; time.sleep(100)",
  "import asyncio\nwhile True: await asyncio.sleep(0)",
  "import asyncio\nawait asyncio.Future()",
  "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
];

/** Each wants too much, by what it ends with. */
export const PYTHON_GREEDY: [string, string][] = [
  ["code_memory", "bytearray(2 ** 30)"],
  ["code_memory", "a = []\nwhile True: a.append(bytearray(10 ** 8))"],
  ["code_memory", "from pyodide.ffi import to_js\na = [to_js(b'x' * 10 ** 8) for i in range(50)]"],
  ["code_output_too_large", "print('x' * 50_000_000)"],
  ["code_output_too_large", "while True: print('x' * 1000)"],
  ["code_output_too_large", "'x' * 50_000_000"],
  ["code_output_too_large", "open('big', 'wb').write(bytes(50_000_000)); 1"],
];

/** Each goes on until it is ended. */
export const JAVASCRIPT_ENDLESS: string[] = [
  "for (;;);",
  "for (;;) await 0",
  "(async () => { for (;;) await 0 })()",
  "try { for (;;); } catch {} 5",
  "/(a+)+$/.test('a'.repeat(40) + 'b')",
  "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)",
  "'a'.repeat(3e7).indexOf('a'.repeat(1e7) + 'b')",
  "throw { toJSON() { for (;;); } }",
  "({ toJSON() { for (;;); } })",
  "const e = new Error(''); Object.defineProperty(e, 'name', { get() { for (;;); } }); throw e",
];
/** Each wants too much, by what it ends with. */
export const JAVASCRIPT_GREEDY: [string, string][] = [
  ["code_memory", "new ArrayBuffer(1e9)"],
  ["code_memory", "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)"],
  ["code_memory", "const a = []; for (;;) a.push(new Uint8Array(1e6))"],
  ["code_output_too_large", "for (;;) console.log('x'.repeat(1e5))"],
  ["code_output_too_large", "for (;;) try { console.error('x'.repeat(1e5)) } catch {}"],
  ["code_output_too_large", "for (let i = 0;; i++) writeFile('f' + i, 'x'.repeat(1e5))"],
  ["code_output_too_large", "'x'.repeat(2e7)"],
];
