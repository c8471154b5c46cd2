// Loaded before a test file by test/run.ts. Node's test runner watches the making and the end of
// every promise, to tell which test an error that nobody caught belongs to: tests of many promises
// pay half as much again. Without it such an error fails the file instead of the test.
import { createHook } from "node:async_hooks";

// The class of all hooks is not exported; the runner's hook is the first of the process.
const hooks: { enable(): unknown } = Object.getPrototypeOf(createHook({}));
const { enable } = hooks;

hooks.enable = function enableOthers(this: unknown): unknown {
  hooks.enable = enable;
  const isOfRunner = new Error().stack?.includes("node:internal/test_runner") === true;
  return isOfRunner ? this : enable.call(this);
};
