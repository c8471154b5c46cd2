// lib/iam against the oracle: on thousands of random policies and requests both say the same, and
// nothing an object could turn is left unasked.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { evaluate, needsObject } from "../../../services/lib/iam/evaluate.ts";
import type { AuthorizationRequest } from "../../../services/lib/iam/model.ts";
import { S3_ACTIONS, traitsOf } from "../../../services/lib/iam/permissions.ts";
import { ORACLE_ACTIONS, oracleAllows } from "./oracle.ts";
import { authorizationRequest, objectFacts } from "./random-requests.ts";

/** More with DOLIUM_TEST_RUNS. */
const RUNS = Number(process.env.DOLIUM_TEST_RUNS ?? 10_000);

/** fast-check prints the seed and the path of a failure. */
test("both allow the same", () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(authorizationRequest, (request) => {
      const decision = evaluate(request);
      assert.equal(decision.allowed, oracleAllows(request), decision.by.rule);
      outcomes.set(decision.by.rule, (outcomes.get(decision.by.rule) ?? 0) + 1);
    }),
    { numRuns: RUNS },
  );
  // A draw that never reaches a rule says nothing about it.
  for (const rule of [
    ...["explicit-deny", "outside-bound", "restricted-public-bucket", "administrator"],
    ...["bucket-owner", "policy-allow", "acl-grant", "object-owner", "own-affairs"],
    ...["unknown-action", "no-rule-allows"],
  ]) {
    assert.ok((outcomes.get(rule) ?? 0) > 5, `${rule}: ${outcomes.get(rule) ?? 0}`);
  }
});

test("where the object is not needed, no object turns the decision", () => {
  let needed = 0;
  fc.assert(
    fc.property(
      authorizationRequest,
      objectFacts,
      fc.constantFrom(undefined, "red", "blue"),
      (drawn, object, team) => {
        const context = new Map(drawn.context);
        context.delete("s3:existingobjecttag/team");
        const unknown: AuthorizationRequest = { ...drawn, context, object: undefined };
        if (team !== undefined) context.set("s3:existingobjecttag/team", [team]);
        const known: AuthorizationRequest = { ...drawn, context: new Map(context), object };
        context.delete("s3:existingobjecttag/team");
        if (needsObject(unknown)) {
          needed += 1;
          return;
        }
        // A bucket's action has no object whose facts could be given.
        if (traitsOf(drawn.action)?.level !== "object") return;
        const [before, after] = [evaluate(unknown), evaluate(known)];
        assert.equal(before.allowed, after.allowed, `${before.by.rule}, then ${after.by.rule}`);
      },
    ),
    { numRuns: RUNS },
  );
  assert.ok(needed > RUNS / 100, `needed ${needed} times`);
});

test("the oracle knows the actions that the gateway asks about", () => {
  for (const action of ORACLE_ACTIONS) assert.ok(S3_ACTIONS.includes(action), action);
});
