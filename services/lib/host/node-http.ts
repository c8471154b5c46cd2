// What is used of node:http, taken without its ES module: that reads every export when it is
// loaded, WebSocket among them, and with it a whole HTTP client that nothing here uses (6 % of the
// start of a process).
import process from "node:process";

export const { Agent, createServer, request } = process.getBuiltinModule("node:http");
