// `npm run sim -- ...` runs the simulation of a whole cluster; with `--raft` that of the consensus
// layer alone. The other arguments are theirs (cluster/main.ts, raft/main.ts).
import process from "node:process";

const raft = process.argv.indexOf("--raft");
if (raft >= 0) process.argv.splice(raft, 1);
await import(raft >= 0 ? "./raft/main.ts" : "./cluster/main.ts");
