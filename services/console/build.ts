// Builds the console into services/console/dist:
//   node services/console/build.ts
import { join, relative } from "node:path";
import process from "node:process";
import { buildConsole } from "./build-console.ts";

const TARGET = join(import.meta.dirname, "dist");

await buildConsole(TARGET);
process.stdout.write(`built ${relative(process.cwd(), TARGET)}\n`);
