// `dolium certs ...`: certificates for the services of a cluster and for its S3 port, in a folder.
// Nothing is contacted. Exit code 1 from `show` when a certificate has a problem.
import { resolve } from "node:path";
import { table } from "../admin-client/admin-verb.ts";
import { addAuthority, dropAuthorities, useAuthority } from "../certs/authority-change.ts";
import { completeFolder, renewFolder, showFolder } from "../certs/certificate-folder.ts";
import {
  type Command,
  type CommandGroup,
  command,
  OUTPUT_OPTIONS,
  UsageError,
} from "../command-line.ts";
import { ExitCode } from "../exit-code.ts";
import { createOutput, type Output } from "../output.ts";

const DAYS = 365;
/** Browsers and old clients refuse what is good for longer than they think sound. */
const DAYS_MAX = 3650;
const DAYS_OPTION = {
  days: {
    kind: "number",
    value: "N",
    minimum: 1,
    maximum: DAYS_MAX,
    help: `how long certificates are good for (${DAYS})`,
  },
} as const;

const initVerb: Command = command({
  name: "certs init",
  summary: "Make an authority and certificates; what exists is left as it is.",
  positionals: "DIR",
  options: {
    ...OUTPUT_OPTIONS,
    name: { kind: "text", value: "CLUSTER", help: "name of the cluster in all certificates" },
    node: { kind: "list", value: "ROLE/NAME", help: "a node: metadata/NAME, storage/NAME, ..." },
    "s3-host": { kind: "list", value: "HOST", help: "a name of the S3 port; *.HOST is added" },
    "campus-host": { kind: "list", value: "HOST", help: "its name at one campus; likewise" },
    ...DAYS_OPTION,
  },
  run: async ({ options, positionals }) => {
    const folder = folderOf(positionals);
    const hosts = [...(options["s3-host"] ?? []), ...(options["campus-host"] ?? [])];
    const { name: cluster, node: nodes = [], days = DAYS } = options;
    const made = await completeFolder(folder, { cluster, nodes, hosts, days });
    const output = outputOf(options);
    output.event({ folder, made });
    output.say(made.length === 0 ? `${folder} is complete` : `made ${made.join(", ")}`);
    return ExitCode.OK;
  },
});

const renewVerb: Command = command({
  name: "certs renew",
  summary: "Issue certificates anew, with the names they have; services take the new files.",
  positionals: "DIR [NAME...]",
  options: {
    ...OUTPUT_OPTIONS,
    ...DAYS_OPTION,
    within: {
      kind: "number",
      value: "N",
      minimum: 0,
      maximum: DAYS_MAX,
      help: "only those that end within N days",
    },
    "new-keys": { kind: "flag", help: "with new keys" },
  },
  run: async ({ options, positionals }) => {
    const [folder = "", ...names] = positionals;
    const renewed = await renewFolder(folderOf([folder]), {
      days: options.days ?? DAYS,
      withinDays: options.within,
      names,
      newKeys: options["new-keys"] === true,
    });
    return sayRenewed(outputOf(options), renewed);
  },
});

const showVerb: Command = command({
  name: "certs show",
  summary: "List the certificates of a folder. Exit code 1 when one has a problem.",
  positionals: "DIR",
  options: OUTPUT_OPTIONS,
  run: ({ options, positionals }) => {
    const items = showFolder(folderOf(positionals));
    const output = outputOf(options);
    output.event({ items });
    const rows = items.map(({ name, identity, names, days, problem }) => {
      const what = identity === "" ? names.join(", ") : identity;
      return [name, what, `${days} days`, problem];
    });
    for (const line of table(["FILE", "NAMES", "GOOD FOR", "PROBLEM"], rows)) output.say(line);
    const isSound = items.every(({ problem }) => problem === "");
    return Promise.resolve(isSound ? ExitCode.OK : ExitCode.FAILED);
  },
});

const authorityVerb: Command = command({
  name: "certs authority",
  summary: "Change the authority: add (both are trusted), use (it signs), drop (the former).",
  positionals: "add|use|drop DIR",
  options: { ...OUTPUT_OPTIONS, ...DAYS_OPTION },
  run: async ({ options, positionals: [step, ...rest] }) => {
    const folder = folderOf(rest);
    const output = outputOf(options);
    if (step === "use") {
      return sayRenewed(output, await useAuthority(folder, options.days ?? DAYS));
    }
    if (step !== "add" && step !== "drop") {
      throw new UsageError("dolium certs authority wants add, use or drop, and DIR");
    }
    if (step === "add") await addAuthority(folder);
    else dropAuthorities(folder);
    output.event({ folder, step });
    const next = step === "add" ? 'carry ca.crt to every node, then "use"' : "carry ca.crt again";
    output.say(`done; ${next}`);
    return ExitCode.OK;
  },
});

export const certsGroup: CommandGroup = {
  name: "certs",
  summary: "Certificates of services and of the S3 port: make, renew, show, change the authority.",
  verbs: [initVerb, renewVerb, showVerb, authorityVerb],
};

function folderOf(positionals: readonly string[]): string {
  const [folder = "", ...rest] = positionals;
  if (folder === "" || rest.length > 0) throw new UsageError("dolium certs wants one DIR");
  return resolve(folder);
}

function outputOf(options: { readonly json?: boolean; readonly quiet?: boolean }): Output {
  return createOutput(options.json === true, options.quiet === true);
}

function sayRenewed(output: Output, renewed: readonly string[]): ExitCode {
  output.event({ renewed });
  output.say(renewed.length === 0 ? "nothing was due" : `renewed ${renewed.join(", ")}`);
  return ExitCode.OK;
}
