// `dolium config ...`: the settings of a process, before it is started with them. Nothing is
// contacted and nothing written.
import process from "node:process";
import { type Command, type CommandGroup, command, OUTPUT_OPTIONS } from "../command-line.ts";
import { ConfigSchema } from "../config-schema.ts";
import { ExitCode } from "../exit-code.ts";
import { createOutput } from "../output.ts";
import { readConfig } from "../read-config.ts";

const schemaVerb: Command = command({
  name: "config schema",
  summary: "Print the JSON Schema of the configuration file, with every default.",
  positionals: "",
  options: {},
  run: () => {
    const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", ...ConfigSchema };
    process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    return Promise.resolve(ExitCode.OK);
  },
});

const checkVerb: Command = command({
  name: "config check",
  summary: "Check a configuration file and the DOLIUM_* variables; a line for every mistake.",
  positionals: "",
  options: {
    ...OUTPUT_OPTIONS,
    config: { kind: "text", value: "FILE", help: "JSON file; without it the variables alone" },
  },
  run: ({ options }) => {
    readConfig(options.config);
    const output = createOutput(options.json === true, options.quiet === true);
    output.event({ event: "config", ok: true });
    output.say("the configuration is sound");
    return Promise.resolve(ExitCode.OK);
  },
});

export const configGroup: CommandGroup = {
  name: "config",
  summary: "Configuration: check a file, print its schema.",
  verbs: [checkVerb, schemaVerb],
};
