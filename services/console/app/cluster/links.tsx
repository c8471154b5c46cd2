// How far each gateway is from each campus, there and back, as gateways measure it.
import type { JSX } from "preact";
import type { ClusterView } from "../api-types.ts";
import { milliseconds } from "../format.ts";
import { Table } from "../list.tsx";

type Link = NonNullable<ClusterView["links"]>[number];

export function Links({ links }: { readonly links: readonly Link[] }): JSX.Element | null {
  if (links.length === 0) return null;
  const campuses = [...new Set(links.map(({ campus }) => campus))].sort();
  const gateways = [...new Set(links.map(({ gateway }) => gateway))].sort();
  const way = (gateway: string, campus: string): string => {
    const found = links.find((link) => link.gateway === gateway && link.campus === campus);
    return found === undefined ? "no answer" : milliseconds(found.rttMs);
  };
  return (
    <section class="card">
      <h2>Ways from gateways to campuses</h2>
      <Table
        label="Ways from gateways to campuses"
        columns={["Gateway", ...campuses.map((campus) => [campus || "storage", "number"] as const)]}
      >
        {gateways.map((gateway) => (
          <tr key={gateway}>
            <th scope="row">{gateway}</th>
            {campuses.map((campus) => (
              <td key={campus} class="number">
                {way(gateway, campus)}
              </td>
            ))}
          </tr>
        ))}
      </Table>
      <p class="hint">There and back, to the nearest storage node that answers.</p>
    </section>
  );
}
