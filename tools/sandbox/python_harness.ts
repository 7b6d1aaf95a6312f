/** What runs inside Python before the code does. @module */

/**
 * Returns a function that runs code and tells of it as JSON text: `{json}` of its result, or
 * `{error, reason}`.
 */
export const HARNESS = `
def _harness():
    import js, json, random, sys, traceback
    from pyodide.code import eval_code_async

    # Before Deno 2.9, packages have some globals of their own, which only they can remove.
    for name in ("process", "Buffer", "global"):
        if hasattr(js, name):
            delattr(js, name)
    # Interpreters that start from the same snapshot would all draw the same numbers.
    random.seed()

    def described(error):
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "code.py"]
        line = frames[-1].lineno if frames else getattr(error, "lineno", None)
        told = f"{type(error).__name__}: {error}"[:1000]
        return told + (f" (line {line})" if line else "")

    async def run(code, text):
        names = {"__name__": "__main__", "input": json.loads(text)}
        try:
            value = await eval_code_async(code, names, filename="code.py")
            value = names.get("result", value)
            out = {"json": json.dumps(value, allow_nan=False)}
        except BaseException as error:
            out = {"error": type(error).__name__, "reason": described(error)}
        sys.stdout.flush()
        sys.stderr.flush()
        return json.dumps(out)

    return run
_harness()
`;
