/**
 * Runs untrusted code, without network, files, environment or clock-free loops.
 *
 * @module
 */
export type { CodeRequest, CodeResult, Language, Sandbox } from "./contract.ts";
export { PYODIDE_FOLDER, pyodideFolder, PYTHON_SCRIPT } from "./python_process.ts";
export { createSandbox, type SandboxDeps } from "./sandbox.ts";
