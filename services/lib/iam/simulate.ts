// What a principal could do, without doing it: each action on each resource, in the words of
// SimulatePrincipalPolicy. Source: AWS IAM API reference, SimulatePrincipalPolicy,
// EvaluationResult.
import { evaluate } from "./evaluate.ts";
import { explainDecision } from "./explain.ts";
import type { BucketFacts, ConditionContext, Decision, Principal } from "./model.ts";

export interface Simulation {
  readonly principal: Principal;
  readonly actions: readonly string[];
  /** Empty: `*`. */
  readonly resources: readonly string[];
  readonly context: ConditionContext;
  /** What is known of a bucket by its name; undefined: there is none. */
  readonly bucketOf: (name: string) => BucketFacts | undefined;
}

export interface SimulationResult {
  readonly action: string;
  readonly resource: string;
  readonly outcome: "allowed" | "explicitDeny" | "implicitDeny";
  readonly decision: Decision;
  readonly explanation: string;
}

const BUCKET = /^arn:aws:s3:::([^/*?]+)/;

/** Name of the bucket that a resource is, or is in; undefined where it is in none. */
export function bucketOfResource(resource: string): string | undefined {
  return BUCKET.exec(resource)?.[1];
}

/** One result for each action on each resource, actions first. Versions are not looked at. */
export function simulate(simulation: Simulation): readonly SimulationResult[] {
  const { principal, actions, resources, context, bucketOf } = simulation;
  return actions.flatMap((action) =>
    (resources.length === 0 ? ["*"] : resources).map((resource): SimulationResult => {
      const name = bucketOfResource(resource);
      const bucket = name === undefined ? undefined : bucketOf(name);
      const request = { principal, action, resource, bucket, object: undefined, context };
      const decision = evaluate(request);
      const outcome = outcomeOf(decision);
      return { action, resource, outcome, decision, explanation: explainDecision(decision) };
    }),
  );
}

function outcomeOf({ allowed, by }: Decision): SimulationResult["outcome"] {
  if (allowed) return "allowed";
  return by.rule === "explicit-deny" ? "explicitDeny" : "implicitDeny";
}
