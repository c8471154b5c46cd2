// `dolium kubernetes ...`: what the chart's jobs do in the cluster, by the service account of their
// pod. People have no need of it.
import { type Command, type CommandGroup, command, UsageError } from "../command-line.ts";
import { ExitCode } from "../exit-code.ts";
import { kubernetesApi } from "../kubernetes/api-client.ts";
import { growClaims, parseClaimSize } from "../kubernetes/grow.ts";
import { initSecrets } from "../kubernetes/init.ts";
import { createOutput } from "../output.ts";

const PLACE_OPTIONS = {
  namespace: { kind: "text", value: "NAME", help: "namespace of the release" },
  server: { kind: "text", value: "URL", help: "API server; that of the pod unless told" },
  account: { kind: "text", value: "DIR", help: "token and ca.crt; those of the pod unless told" },
  json: { kind: "flag", help: "print JSON lines" },
} as const;

const initVerb: Command = command({
  name: "kubernetes init",
  summary: "Make the Secrets of a release that are not there; what exists stays.",
  positionals: "",
  options: {
    ...PLACE_OPTIONS,
    name: { kind: "text", value: "CLUSTER", help: "name of the cluster in certificates" },
    prefix: { kind: "text", value: "NAME", help: "names of Secrets with certificates begin so" },
    "root-secret": { kind: "text", value: "NAME", help: "Secret of the root keys" },
    "root-user": { kind: "text", value: "KEY", help: "access key of the root user" },
    "cluster-secret": { kind: "text", value: "NAME", help: "Secret that services share" },
    "internal-tls": { kind: "flag", help: "certificates for services" },
    node: { kind: "list", value: "ROLE/NAME", help: "a node that has a certificate of its own" },
    "s3-secret": { kind: "text", value: "NAME", help: "Secret of the certificate of S3" },
    "s3-host": { kind: "list", value: "HOST", help: "a name in it; *.HOST is added" },
  },
  run: async ({ options }) => {
    const { namespace, name: cluster, prefix } = options;
    if (namespace === undefined || cluster === undefined || prefix === undefined) {
      throw new UsageError("dolium kubernetes init wants --namespace, --name and --prefix");
    }
    const api = kubernetesApi({ server: options.server, account: options.account });
    const changed = await initSecrets(
      { api, namespace, instance: prefix },
      {
        ...{ cluster, prefix },
        rootSecret: options["root-secret"],
        rootUser: options["root-user"],
        clusterSecret: options["cluster-secret"],
        internalTls: options["internal-tls"] === true,
        nodes: options.node ?? [],
        s3Secret: options["s3-secret"],
        s3Hosts: options["s3-host"] ?? [],
      },
    );
    const output = createOutput(options.json === true);
    output.event({ event: "secrets", changed });
    output.say(changed.length === 0 ? "every Secret is there" : `wrote ${changed.join(", ")}`);
    return ExitCode.OK;
  },
});

const growVerb: Command = command({
  name: "kubernetes grow",
  summary: "Make the claims of StatefulSets larger, before an upgrade says so too.",
  positionals: "",
  options: {
    ...PLACE_OPTIONS,
    claim: { kind: "list", value: "SET/CLAIM=SIZE", help: "size that claims of a set shall have" },
  },
  run: async ({ options }) => {
    const { namespace, claim = [] } = options;
    if (namespace === undefined) throw new UsageError("dolium kubernetes grow wants --namespace");
    const api = kubernetesApi({ server: options.server, account: options.account });
    const told = await growClaims(api, namespace, claim.map(parseClaimSize));
    const output = createOutput(options.json === true);
    output.event({ event: "claims", changes: told });
    output.say(told.length === 0 ? "every claim is large enough" : told.join("\n"));
    return ExitCode.OK;
  },
});

export const kubernetesGroup: CommandGroup = {
  name: "kubernetes",
  summary: "What the Helm chart's jobs do: make Secrets, grow claims.",
  verbs: [initVerb, growVerb],
};
