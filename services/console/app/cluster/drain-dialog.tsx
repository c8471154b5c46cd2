// Draining a node: shows what would move before anything does.
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { LayoutPlan } from "../api-types.ts";
import { bytesText } from "../format.ts";
import { Show, useLoaded } from "../load.tsx";
import { tell } from "../state.ts";
import { Button, Dialog } from "../ui.tsx";

function Plan({ plan }: { readonly plan: LayoutPlan }): JSX.Element {
  return (
    <>
      <p>
        {bytesText(plan.bytesToMove)} would move. The node keeps serving what it holds until then.
      </p>
      {plan.problems.map((problem) => (
        <p key={problem} class="failure">
          {problem}
        </p>
      ))}
      <div class="scroll" tabIndex={0} role="region" aria-label="What moves">
        <table>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col" class="number">
                Gains
              </th>
              <th scope="col" class="number">
                Loses
              </th>
            </tr>
          </thead>
          <tbody>
            {plan.nodes.map((node) => (
              <tr key={node.node}>
                <th scope="row">{node.node}</th>
                <td class="number">{bytesText(node.bytesIn)}</td>
                <td class="number">{bytesText(node.bytesOut)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

export function DrainDialog(props: {
  readonly node: string;
  readonly onClose: () => void;
  readonly onDone: () => Promise<void>;
}): JSX.Element {
  const { node } = props;
  const loaded = useLoaded(() => api.planLayout([{ node, state: "draining" }]), [node]);
  const plan = loaded.value.value;
  return (
    <Dialog title={`Drain ${node}`} onClose={props.onClose}>
      <Show of={loaded}>{(found) => <Plan plan={found} />}</Show>
      <div class="actions">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button
          kind="bad"
          disabled={plan === undefined || plan.problems.length > 0}
          onClick={async () => {
            if (plan === undefined) return;
            await api.applyLayout(plan);
            tell(`${node} is draining`);
            props.onClose();
            await props.onDone();
          }}
        >
          Drain
        </Button>
      </div>
    </Dialog>
  );
}
